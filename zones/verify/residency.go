package verify

import (
	"cmp"
	"slices"

	"github.com/geoshard/geoshard/topology"
)

// A Residency is where documents of one zone physically are, orphans included.
type Residency struct {
	Zone topology.ZoneID `json:"zone"`
	// Allowed are the only datacenters that may hold them; empty = all.
	Allowed []topology.DatacenterID `json:"allowed,omitempty"`
	// Holders are the members on which documents of the zone were found, sorted.
	Holders []Holder `json:"holders"`
	// Violations are those of the holders that are in no allowed datacenter. A member without the tag dc is nowhere.
	Violations []Holder `json:"violations,omitempty"`
}

// A Holder is a member that holds documents of a zone.
type Holder struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	Shard      topology.ShardID      `json:"shard"`
	Host       string                `json:"host"`
	Documents  int64                 `json:"documents"`
}

// residency adds up what the members hold of each zone.
func residency(world *topology.Topology, namespaces []Namespace) []Residency {
	var all []Residency
	for _, zone := range world.Zones {
		r := Residency{Zone: zone.ID, Allowed: zone.AllowedDatacenters}
		for _, n := range namespaces {
			for _, m := range n.Members {
				r.add(Holder{m.Datacenter, m.Shard, m.Host, m.Zones[zone.ID]})
			}
		}
		slices.SortFunc(r.Holders, func(a, b Holder) int {
			return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Host, b.Host))
		})
		for _, h := range r.Holders {
			if len(r.Allowed) > 0 && !slices.Contains(r.Allowed, h.Datacenter) {
				r.Violations = append(r.Violations, h)
			}
		}
		all = append(all, r)
	}
	return all
}

func (r *Residency) add(h Holder) {
	if h.Documents == 0 {
		return
	}
	for i := range r.Holders {
		if r.Holders[i].Host == h.Host {
			r.Holders[i].Documents += h.Documents
			return
		}
	}
	r.Holders = append(r.Holders, h)
}
