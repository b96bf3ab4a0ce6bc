package cluster

import (
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// The first parts of the names of members that belong to no shard.
const (
	ConfigSet = "config"
	Router    = "router"
	// RouterCore is the mongod whose router code a devmongos uses; clusters with a mongos have none.
	RouterCore = "core"
)

// A MemberName is a member's name taken apart: "nyc/LON.2" is the second member of nyc in LON.
type MemberName struct {
	// Set is a shard's name, or ConfigSet, Router or RouterCore.
	Set string
	DC  topology.DatacenterID
	// Ordinal is 1 for the first member of the set in the datacenter, and is not written then.
	Ordinal int
}

// String returns the name as users write it.
func (n MemberName) String() string {
	if n.Ordinal > 1 {
		return fmt.Sprintf("%s/%s.%d", n.Set, n.DC, n.Ordinal)
	}
	return n.Set + "/" + string(n.DC)
}

// RoutesQueries reports whether the member of a name is a query router, or the core of one.
func RoutesQueries(member string) bool {
	set, _, _ := strings.Cut(member, "/")
	return set == Router || set == RouterCore
}

// ParseMemberName takes a member's name apart. It does not know which members exist; a name of another form returns an
// topology.ErrUnknownMember.
func ParseMemberName(name string) (MemberName, error) {
	set, place, _ := strings.Cut(name, "/")
	n := MemberName{Set: set, DC: topology.DatacenterID(place), Ordinal: 1}
	if dot := strings.LastIndexByte(place, '.'); dot >= 0 {
		n.DC = topology.DatacenterID(place[:dot])
		_, _ = fmt.Sscanf(place[dot+1:], "%d", &n.Ordinal) // what is no number is not written so
	}
	if n.Set == "" || n.DC == "" || n.Ordinal < 1 || n.String() != name {
		return MemberName{}, hint.New(fmt.Errorf("%w %q", topology.ErrUnknownMember, name),
			`a member is written SHARD/DATACENTER, for example nyc/LON or nyc/LON.2; also config/NYC and router/NYC`)
	}
	return n, nil
}
