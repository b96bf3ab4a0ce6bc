package topology

import (
	"fmt"
	"strings"
)

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
func (r Role) String() string { return nameOf(roleNames, int(r)) }

// MarshalText writes the name of a known role.
func (r Role) MarshalText() ([]byte, error) { return marshalName("role", roleNames, int(r)) }

// UnmarshalText reads a name that String wrote.
func (r *Role) UnmarshalText(text []byte) error {
	return unmarshalName("role", roleNames, text, (*int)(r))
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
func (s Survival) String() string { return nameOf(survivalNames, int(s)) }

// MarshalText writes the name of a stated goal.
func (s Survival) MarshalText() ([]byte, error) {
	return marshalName("survival goal", survivalNames, int(s))
}

// UnmarshalText reads a name that String wrote.
func (s *Survival) UnmarshalText(text []byte) error {
	return unmarshalName("survival goal", survivalNames, text, (*int)(s))
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
func (u Unknown) String() string { return nameOf(unknownNames, int(u)) }

// MarshalText writes the name of a stated policy.
func (u Unknown) MarshalText() ([]byte, error) {
	return marshalName("policy for unknown values", unknownNames, int(u))
}

// UnmarshalText reads a name that String wrote.
func (u *Unknown) UnmarshalText(text []byte) error {
	return unmarshalName("policy for unknown values", unknownNames, text, (*int)(u))
}

// nameOf looks up an enum's name; index 0, the unknown, has none.
func nameOf(names []string, i int) string {
	if i <= 0 || i >= len(names) {
		return "unknown"
	}
	return names[i]
}

func marshalName(what string, names []string, i int) ([]byte, error) {
	if i <= 0 || i >= len(names) {
		return nil, fmt.Errorf("marshal %s: %d is not one", what, i)
	}
	return []byte(names[i]), nil
}

func unmarshalName(what string, names []string, text []byte, to *int) error {
	for i, name := range names[1:] {
		if name == string(text) {
			*to = i + 1
			return nil
		}
	}
	return fmt.Errorf("unknown %s %q: want %s", what, excerpt(string(text)), strings.Join(names[1:], ", "))
}
