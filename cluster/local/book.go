package local

import (
	"slices"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/topology"
)

// addresses tell where the members of a cluster are, and what it takes to be let in: to the supervisor and to those who attach to it alike.
type addresses func() (book, *security)

// URI is the connection string of a datacenter's query router, for that datacenter's clients. It holds no password: see SecretURI.
func (a addresses) URI(dc topology.DatacenterID) (string, error) { return a.uri(dc, false) }

// SecretURI is URI with AdminUser and its password, where the cluster has users. Do not log it.
func (a addresses) SecretURI(dc topology.DatacenterID) (string, error) { return a.uri(dc, true) }

// MemberURI is the connection string of exactly one member, by its advertised address, or topology.ErrUnknownMember. Clients that
// are to feel the WAN connect with the Dialer of their datacenter.
func (a addresses) MemberURI(member string) (string, error) { return a.memberURI(member, false) }

// SecretMemberURI is MemberURI with AdminUser and its password, where the cluster has users. Arbiters know no users. Do not log it.
func (a addresses) SecretMemberURI(member string) (string, error) { return a.memberURI(member, true) }

// LogPath returns the path of a member's log file, or topology.ErrUnknownMember.
func (a addresses) LogPath(member string) (string, error) {
	b, _ := a()
	m, err := b.find(member)
	return m.Log, err
}

// A book lists the members of a cluster with their addresses.
type book []memberState

func (b book) find(member string) (memberState, error) {
	return replica.Find(b, member, func(m memberState) string { return m.Name }, topology.ErrUnknownMember)
}

func (a addresses) uri(dc topology.DatacenterID, secrets bool) (string, error) {
	b, s := a()
	routers := slices.DeleteFunc(slices.Clone(b), func(m memberState) bool { return m.Kind != layout.Router })
	m, err := replica.Find(routers, dc, func(m memberState) topology.DatacenterID { return m.Datacenter }, topology.ErrUnknownDatacenter)
	if err != nil {
		return "", err
	}
	return s.uri(m.Host, false, secrets), nil
}

func (a addresses) memberURI(member string, secrets bool) (string, error) {
	b, s := a()
	m, err := b.find(member)
	if err != nil {
		return "", err
	}
	return s.uri(m.Host, true, secrets), nil
}
