package local

import (
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A book lists the members of a cluster with their addresses, for the supervisor and for those who attach to it alike.
type book []memberState

func (b book) find(member string) (memberState, error) {
	var names []string
	for _, m := range b {
		if m.Name == member {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return memberState{}, cluster.UnknownMember(member, names)
}

func (b book) uri(dc topology.DatacenterID, s *security, secrets bool) (string, error) {
	var known []topology.DatacenterID
	for _, m := range b {
		if m.Kind != kindRouter {
			continue
		}
		if m.Datacenter == dc {
			return s.uri(m.Host, false, secrets), nil
		}
		known = append(known, m.Datacenter)
	}
	return "", cluster.UnknownDatacenter(dc, known)
}

func (b book) memberURI(member string, s *security, secrets bool) (string, error) {
	m, err := b.find(member)
	if err != nil {
		return "", err
	}
	return s.uri(m.Host, true, secrets), nil
}

func (b book) logPath(member string) (string, error) {
	m, err := b.find(member)
	return m.Log, err
}
