package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// DrainZone returns the world in which everything that belongs to one zone belongs to another. The zone itself stays, without ranges, so that it can be filled
// again. Ranges change their zone and never lose it, so a plan for the result leaves no document without a place.
//
// The error is ErrRefused where one of the zones is unknown, or where the other one has no shard to take the documents.
func DrainZone(world *topology.Topology, state *zones.State, zone, into topology.ZoneID) (*topology.Topology, []zones.Finding, error) {
	refused := func(hint, format string, args ...any) error {
		return problem(ErrRefused, hint, "drain zone %s: %s", zone, fmt.Sprintf(format, args...))
	}
	from, ok := world.Zone(zone)
	if !ok {
		return nil, nil, refused("the zones are "+names(zonesBut(world, "")), "the zone is not declared")
	}
	target, ok := world.Zone(into)
	switch {
	case !ok:
		return nil, nil, refused("name one of "+names(zonesBut(world, zone)), "the zone %q, which is to take the documents, is not declared", into)
	case into == zone:
		return nil, nil, refused("name one of "+names(zonesBut(world, zone)), "a zone cannot be drained into itself")
	case len(takers(state, target.Shards)) == 0:
		return nil, nil, refused("put another shard into the zone first", "no shard of zone %s can take the documents: each is missing in the cluster or being removed from it", into)
	}
	changed := *world
	changed.Namespaces = make([]topology.Namespace, len(world.Namespaces))
	for i, ns := range world.Namespaces {
		changed.Namespaces[i] = reassigned(world, ns, zone, into)
	}
	found, err := leftBehind(&changed, state, zone)
	if err != nil {
		return nil, nil, err
	}
	if outside := notAllowed(world, from.AllowedDatacenters, target.Shards); len(outside) > 0 {
		found.warn("drain-residency", string(zone), "choose another zone if that must not be",
			"documents of the zone will also be held in %s, which zone %s does not allow", names(outside), zone)
	}
	return &changed, found, nil
}

// reassigned gives what a namespace assigns to one zone to another.
func reassigned(world *topology.Topology, ns topology.Namespace, zone, into topology.ZoneID) topology.Namespace {
	implied := slices.Contains(placement.Named(world, ns), zone)
	ns.Ranges = slices.Clone(ns.Ranges)
	for i, r := range ns.Ranges {
		if r.Zone == zone {
			ns.Ranges[i].Zone = into
		}
	}
	if implied {
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: into, Values: []topology.Value{topology.StringOf(string(zone))}})
	}
	if ns.UnknownZone == zone {
		ns.UnknownZone = into
	}
	return ns
}

// leftBehind tells ranges of the zone that a plan for the changed world does not touch: nobody declares them.
func leftBehind(changed *topology.Topology, state *zones.State, zone topology.ZoneID) (found report, err error) {
	layout, err := Want(changed, state, Options{})
	if err != nil {
		return nil, err
	}
	for _, c := range state.Collections {
		p, declared := layout.Placement(c.Name)
		left := 0
		for _, r := range c.Ranges {
			if r.Zone != zone {
				continue
			}
			low, ok := shardkey.ReadBound(p.Key, r.Min)
			if !declared || !ok {
				left++
			} else if _, ok := p.ZoneOf(low.Full); !ok {
				left++
			}
		}
		if left > 0 {
			found.warn("drain-undeclared", c.Name, "declare the collection and its ranges, or remove them with --prune",
				"%s in the zone, though not declared", count(left, "range stays", "ranges stay"))
		}
	}
	return found, nil
}

// DrainDatacenter returns the world in which no zone has a shard that is at home in a datacenter. A zone that has other shards keeps those; the place of any other zone's
// shards take those of the nearest datacenter that may hold its documents. Ranges stay as they are, so planning the old world fills the datacenter again.
//
// A plan for the result needs Options.Prune to take the shards out of the zones; it puts the new ones in first. The error is ErrRefused where a zone would
// be left without a shard.
func DrainDatacenter(world *topology.Topology, state *zones.State, dc topology.DatacenterID) (*topology.Topology, []zones.Finding, error) {
	if _, ok := world.Datacenter(dc); !ok {
		known := make([]topology.DatacenterID, len(world.Datacenters))
		for i, d := range world.Datacenters {
			known[i] = d.ID
		}
		return nil, nil, problem(ErrRefused, "the datacenters are "+names(known), "drain datacenter %s: the datacenter is not declared", dc)
	}
	changed := *world
	changed.Zones = slices.Clone(world.Zones)
	var found report
	for i, zone := range world.Zones {
		stay := slices.DeleteFunc(slices.Clone(zone.Shards), func(s topology.ShardID) bool { return world.HomeOf(s) == dc })
		switch {
		case len(stay) == len(zone.Shards):
			continue
		case len(takers(state, stay)) > 0:
			changed.Zones[i].Shards = stay
		default:
			nearest, to, ok := nearestTakers(world, state, zone, dc)
			if !ok {
				return nil, nil, problem(ErrRefused,
					"allow another datacenter for the zone (allowedDatacenters), add a shard, or drain the zone into another: geoshard drain zone "+string(zone.ID)+" --into ZONE",
					"drain datacenter %s: zone %s would be left without a shard: no other datacenter has one that may hold its documents", dc, zone.ID)
			}
			changed.Zones[i].Shards = nearest
			found.note("drain-moves", string(zone.ID), "", "its documents move to %s in %s, the nearest datacenter that may hold them", names(nearest), to)
		}
	}
	if copies := heldIn(world, dc); len(copies) > 0 {
		found.note("drain-copies", string(dc), "draining moves homes; take members away with rs.remove()",
			"members of %s in the datacenter keep copies of their documents", names(copies))
	}
	if err := changed.Validate(); err != nil {
		found.warn("drain-invalid", string(dc), "fill the datacenter again, or take it out of geoshard.yaml with its members",
			"as a file, the drained world would be refused: %v", err)
	}
	return &changed, found, nil
}

// nearestTakers are the shards of the nearest other datacenter that can take a zone's documents and may hold them.
func nearestTakers(world *topology.Topology, state *zones.State, zone topology.Zone, from topology.DatacenterID) ([]topology.ShardID, topology.DatacenterID, bool) {
	others := slices.DeleteFunc(slices.Clone(world.Datacenters), func(d topology.Datacenter) bool { return d.ID == from })
	slices.SortStableFunc(others, func(a, b topology.Datacenter) int {
		return cmp.Or(cmp.Compare(world.RTT(from, a.ID), world.RTT(from, b.ID)), cmp.Compare(a.ID, b.ID))
	})
	for _, dc := range others {
		var found []topology.ShardID
		for _, s := range world.Shards {
			if world.HomeOf(s.ID) == dc.ID && len(notAllowed(world, zone.AllowedDatacenters, []topology.ShardID{s.ID})) == 0 {
				found = append(found, s.ID)
			}
		}
		if found = takers(state, found); len(found) > 0 {
			return found, dc.ID, true
		}
	}
	return nil, "", false
}

// takers are those of some shards that the cluster has and that are not being removed from it.
func takers(state *zones.State, shards []topology.ShardID) []topology.ShardID {
	return slices.DeleteFunc(slices.Clone(shards), func(id topology.ShardID) bool {
		shard, ok := state.Shard(id)
		return !ok || shard.Draining
	})
}

// notAllowed lists the datacenters that hold some shards and are not among those allowed; none allowed means all.
func notAllowed(world *topology.Topology, allowed []topology.DatacenterID, shards []topology.ShardID) []topology.DatacenterID {
	var outside []topology.DatacenterID
	for _, id := range shards {
		shard, _ := world.Shard(id)
		for _, m := range shard.Members {
			if len(allowed) > 0 && !slices.Contains(allowed, m.DC) && !world.Arbiter(m) {
				outside = addOnce(outside, m.DC)
			}
		}
	}
	return outside
}

// heldIn lists the shards that have members with documents in a datacenter.
func heldIn(world *topology.Topology, dc topology.DatacenterID) []topology.ShardID {
	var shards []topology.ShardID
	for _, s := range world.Shards {
		if slices.ContainsFunc(s.Members, func(m topology.Member) bool { return m.DC == dc && !world.Arbiter(m) }) {
			shards = append(shards, s.ID)
		}
	}
	return shards
}

// zonesBut lists the declared zones but one.
func zonesBut(world *topology.Topology, but topology.ZoneID) []topology.ZoneID {
	var ids []topology.ZoneID
	for _, z := range world.Zones {
		if z.ID != but {
			ids = append(ids, z.ID)
		}
	}
	return ids
}

// names joins names.
func names[S ~string](list []S) string {
	parts := make([]string, len(list))
	for i, name := range list {
		parts[i] = string(name)
	}
	return strings.Join(parts, ", ")
}
