package router

import "github.com/geoshard/geoshard/internal/enum"

// A Decision says who serves a request.
type Decision struct {
	// To serves the request. It is NoDC when the request is refused, and the owner when it has to wait.
	To DC
	// Owner is the datacenter where the record is at home, or will be if it is new. NoDC when the request is about no record, or about one of
	// no known home.
	Owner DC
	Mode  Mode
	// Reason is the rule that decided.
	Reason Reason
}

// Placed reports whether the decision gave a new record its home: Table.NewHome of the owner.
func (d Decision) Placed() bool { return d.Reason >= ReasonExplicit && d.Reason <= ReasonDefault }

// A Mode says what becomes of a request.
type Mode int

// The modes.
const (
	ModeUnknown Mode = iota
	// Local: the application here serves it.
	Local
	// Forward: it is passed to the application in Decision.To.
	Forward
	// Redirect: the client is told to ask the gateway of Decision.To.
	Redirect
	// ReadOnly: Decision.To, here or elsewhere, serves the read; the record cannot be written at the moment.
	ReadOnly
	// Wait: the shard has no primary. The request is held, and decided again when one is elected.
	Wait
	// Refuse: no datacenter can be right.
	Refuse
)

var modeNames = []string{ModeUnknown: "unknown", Local: "local", Forward: "forward", Redirect: "redirect", ReadOnly: "read-only", Wait: "wait", Refuse: "refuse"}

// String is the mode in headers, metrics and logs.
func (m Mode) String() string { return enum.Name(modeNames, m) }

// MarshalText writes String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// A Reason is the rule that made a decision.
type Reason int

// The reasons.
const (
	ReasonUnknown Reason = iota

	// ReasonOwner: a write goes to its record's owner.
	ReasonOwner
	// ReasonPrimary: a write goes where its record's shard has its primary, which is away from home.
	ReasonPrimary
	// ReasonDetour: the application beside the primary does not answer, so another one writes across.
	ReasonDetour
	// ReasonElection: a write waits for the election of a primary.
	ReasonElection
	// ReasonOwnerDown: a write waits because its owner is lost, and where the primary went is not known yet.
	ReasonOwnerDown

	// ReasonRead: a read is served here.
	ReasonRead
	// ReasonReadElsewhere: a read is served by the nearest datacenter that can, because the application here does not answer or has no copy.
	ReasonReadElsewhere
	// ReasonReadOnly: a read is served although its record has no primary.
	ReasonReadOnly

	// Of the rules that place a new record, the first that can tell decides: ReasonExplicit to ReasonDefault, in this order.

	// ReasonExplicit: a new record goes where the client chose.
	ReasonExplicit
	// ReasonCountry: a new record goes to the datacenter that lists the client's country.
	ReasonCountry
	// ReasonCountryDistance: no datacenter lists the client's country; a new record goes to the nearest by the great circle from there.
	ReasonCountryDistance
	// ReasonDistance: a new record goes to the datacenter nearest to the client's position.
	ReasonDistance
	// ReasonRTT: a new record goes to this datacenter, or to the one with the shortest round trip from it.
	ReasonRTT
	// ReasonDefault: a new record goes to the default datacenter.
	ReasonDefault

	// ReasonUnknownHome: the home that a request names is nobody's.
	ReasonUnknownHome
	// ReasonBadHandle: what names the record is neither a handle nor an identifier.
	ReasonBadHandle
	// ReasonNoDirectory: a write names its record by the bare identifier, and there is no directory to look up the home.
	ReasonNoDirectory
	// ReasonNobody: no application that could serve it answers.
	ReasonNobody
)

var reasonNames = []string{
	ReasonUnknown: "unknown", ReasonOwner: "owner", ReasonPrimary: "primary", ReasonDetour: "detour", ReasonElection: "election", ReasonOwnerDown: "owner-down",
	ReasonRead: "read", ReasonReadElsewhere: "read-elsewhere", ReasonReadOnly: "read-only",
	ReasonExplicit: "explicit", ReasonCountry: "country", ReasonCountryDistance: "country-distance", ReasonDistance: "distance", ReasonRTT: "rtt", ReasonDefault: "default",
	ReasonUnknownHome: "unknown-home", ReasonBadHandle: "bad-handle", ReasonNoDirectory: "no-directory", ReasonNobody: "nobody",
}

// String is the reason in headers, metrics and logs.
func (r Reason) String() string { return enum.Name(reasonNames, r) }

// MarshalText writes String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Reasons are all reasons that a decision can have, for counters that begin at zero.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasonNames)-1)
	for i := range reasonNames[1:] {
		all = append(all, Reason(i+1))
	}
	return all
}
