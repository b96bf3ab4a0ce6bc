package topology

import (
	"slices"
	"strconv"
	"time"
)

// DatacenterIDs lists the datacenters, in the order of the file.
func (t *Topology) DatacenterIDs() []DatacenterID {
	return each(t.Datacenters, func(d Datacenter) DatacenterID { return d.ID })
}

// ShardIDs lists the shards, in the order of the file.
func (t *Topology) ShardIDs() []ShardID { return each(t.Shards, func(s Shard) ShardID { return s.ID }) }

// ZoneIDs lists the zones, in the order of the file.
func (t *Topology) ZoneIDs() []ZoneID { return each(t.Zones, func(z Zone) ZoneID { return z.ID }) }

func (t *Topology) namespaceNames() []string {
	return each(t.Namespaces, func(n Namespace) string { return n.Name })
}

// Datacenter returns the datacenter with that ID.
func (t *Topology) Datacenter(id DatacenterID) (Datacenter, bool) {
	return find(t.Datacenters, func(d Datacenter) bool { return d.ID == id })
}

// Shard returns the shard with that ID.
func (t *Topology) Shard(id ShardID) (Shard, bool) {
	return find(t.Shards, func(s Shard) bool { return s.ID == id })
}

// Zone returns the zone with that ID.
func (t *Topology) Zone(id ZoneID) (Zone, bool) {
	return find(t.Zones, func(z Zone) bool { return z.ID == id })
}

// Namespace returns the namespace with that name.
func (t *Topology) Namespace(name string) (Namespace, bool) {
	return find(t.Namespaces, func(n Namespace) bool { return n.Name == name })
}

// NamespaceOf returns the namespace that decides on a collection: the one of its name, else the longest pattern that covers it. Whether the
// collection has the pattern's key is for the caller to see.
func (t *Topology) NamespaceOf(collection string) (Namespace, bool) {
	var best Namespace
	for _, n := range t.Namespaces {
		switch {
		case !n.IsPattern() && n.Name == collection:
			return n, true
		case n.IsPattern() && n.Covers(collection) && len(n.Name) > len(best.Name):
			best = n
		}
	}
	return best, best.Name != ""
}

// Link returns the link between two datacenters, whichever of them the file names first.
func (t *Topology) Link(a, b DatacenterID) (Link, bool) {
	return find(t.Links, func(l Link) bool {
		return l.Between == [2]DatacenterID{a, b} || l.Between == [2]DatacenterID{b, a}
	})
}

// RTT is the declared round-trip time between two datacenters, and 0 within one.
func (t *Topology) RTT(a, b DatacenterID) time.Duration {
	link, _ := t.Link(a, b) // the zero Link of an unknown pair has RTT 0
	return link.RTT
}

// HomeOf is the datacenter of the shard's preferred primary: of the member with the highest priority, the first of equals. It is
// empty for an unknown shard.
func (t *Topology) HomeOf(id ShardID) DatacenterID {
	shard, _ := t.Shard(id)
	return shard.home()
}

// home is empty for a shard without members.
func (s Shard) home() DatacenterID { return s.highest().DC }

// highest is the member with the highest priority, the first of equals.
func (s Shard) highest() (best Member) {
	for i, m := range s.Members {
		if i == 0 || m.Priority > best.Priority {
			best = m
		}
	}
	return best
}

// MemberName is the name of the i-th member all over geoshard: SHARD/DC ("nyc/LON"), with ".2", ".3" … for further members in the
// same datacenter.
func (s Shard) MemberName(i int) string {
	dc := s.Members[i].DC
	name := string(s.ID) + "/" + string(dc)
	nth := 1
	for _, m := range s.Members[:i] {
		if m.DC == dc {
			nth++
		}
	}
	if nth == 1 {
		return name
	}
	return name + "." + strconv.Itoa(nth)
}

// Arbiter says whether a member only votes: whether its datacenter is a voter.
func (t *Topology) Arbiter(m Member) bool {
	return t.role(m.DC) == RoleVoter
}

// role is RoleUnknown for an unknown datacenter.
func (t *Topology) role(id DatacenterID) Role {
	dc, _ := t.Datacenter(id)
	return dc.Role
}

// find returns the first item that match accepts.
func find[T any](items []T, match func(T) bool) (T, bool) {
	if i := slices.IndexFunc(items, match); i >= 0 {
		return items[i], true
	}
	var none T
	return none, false
}

// OwnerOf is the datacenter where a zone's documents are at home: where all its shards are. It is false for a zone whose shards are at home in several.
func (t *Topology) OwnerOf(z Zone) (DatacenterID, bool) {
	homes := slices.Compact(each(z.Shards, t.HomeOf))
	if len(homes) != 1 {
		return "", false
	}
	return homes[0], homes[0] != ""
}
