package topology

import "github.com/geoshard/geoshard/internal/enum"

// A Role says what a datacenter is for.
type Role int

// The roles. A datacenter of a file that states none is active.
const (
	RoleUnknown Role = iota
	// RoleActive datacenters serve reads and writes: each is the home of a shard and holds a copy of all of them.
	RoleActive
	// RolePassive datacenters hold copies and serve reads. No shard is at home there; they take over when an active one is lost.
	RolePassive
	// RoleVoter datacenters vote only: shard members there are arbiters, and neither clients nor query routers live there.
	RoleVoter
)

var roleNames = []string{RoleActive: "active", RolePassive: "passive", RoleVoter: "voter"}

// String is "active", "passive" or "voter".
func (r Role) String() string { return enum.Name(roleNames, r) }

// MarshalText writes the name of a known role.
func (r Role) MarshalText() ([]byte, error) { return enum.Marshal("role", roleNames, r) }

// UnmarshalText reads a name that String wrote.
func (r *Role) UnmarshalText(text []byte) error {
	return readName("role", roleNames, text, r)
}

// A Survival is the largest loss that the cluster is declared to live through: afterwards every shard still elects a primary and
// acknowledges writes with w: "majority".
type Survival int

// The survival goals.
const (
	// SurviveUnstated: no goal was declared, and none is checked.
	SurviveUnstated Survival = iota
	// SurviveNode is the loss of any one member.
	SurviveNode
	// SurviveDatacenter is the loss of any one datacenter with all its members.
	SurviveDatacenter
)

var survivalNames = []string{SurviveNode: "node", SurviveDatacenter: "datacenter"}

// String is "node" or "datacenter", or "unknown" for SurviveUnstated.
func (s Survival) String() string { return enum.Name(survivalNames, s) }

// MarshalText writes the name of a stated goal.
func (s Survival) MarshalText() ([]byte, error) {
	return enum.Marshal("survival goal", survivalNames, s)
}

// UnmarshalText reads a name that String wrote.
func (s *Survival) UnmarshalText(text []byte) error {
	return readName("survival goal", survivalNames, text, s)
}

// Unknown says what becomes of documents whose ZoneBy value belongs to no zone.
type Unknown int

// What can become of unknown documents.
const (
	UnknownUnstated Unknown = iota
	// UnknownReport leaves them on any shard and reports them.
	UnknownReport
	// UnknownToZone covers the gaps between the ranges with ranges to Namespace.UnknownZone.
	UnknownToZone
	// UnknownReject refuses them by a validator on the collection.
	UnknownReject
)

var unknownNames = []string{UnknownReport: "report", UnknownToZone: "zone", UnknownReject: "reject"}

// String is "report", "zone" or "reject".
func (u Unknown) String() string { return enum.Name(unknownNames, u) }

// MarshalText writes the name of a stated policy.
func (u Unknown) MarshalText() ([]byte, error) {
	return enum.Marshal("policy for unknown values", unknownNames, u)
}

// UnmarshalText reads a name that String wrote.
func (u *Unknown) UnmarshalText(text []byte) error {
	return readName("policy for unknown values", unknownNames, text, u)
}

// readName reads an enum's name. An error shows a name in full, but not a whole file that was taken for one.
func readName[E ~int](what string, names []string, text []byte, to *E) error {
	return enum.Unmarshal(what, names, []byte(excerpt(string(text))), to)
}
