package plan

import (
	"cmp"
	"slices"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
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
	from, ok := world.Zone(zone)
	if !ok {
		return nil, nil, hint.NewOf(ErrRefused, "the zones are "+spelling.List(world.ZoneIDs()), "drain zone %s: the zone is not declared", zone)
	}
	target, ok := world.Zone(into)
	others := "name one of " + spelling.List(slices.DeleteFunc(world.ZoneIDs(), func(id topology.ZoneID) bool { return id == zone }))
	switch {
	case !ok:
		return nil, nil, hint.NewOf(ErrRefused, others, "drain zone %s: the zone %q, which is to take the documents, is not declared", zone, into)
	case into == zone:
		return nil, nil, hint.NewOf(ErrRefused, others, "drain zone %s: a zone cannot be drained into itself", zone)
	case len(takers(state, target.Shards)) == 0:
		return nil, nil, hint.NewOf(ErrRefused, "put another shard into the zone first",
			"drain zone %s: no shard of zone %s can take the documents: each is missing in the cluster or being removed from it", zone, into)
	}
	changed := *world
	changed.Namespaces = slices.Clone(world.Namespaces)
	for i, ns := range world.Namespaces {
		changed.Namespaces[i] = reassigned(world, ns, zone, into)
	}
	found, err := leftBehind(&changed, state, zone)
	if err != nil {
		return nil, nil, err
	}
	if outside := notAllowed(world, from.AllowedDatacenters, target.Shards); len(outside) > 0 {
		found.warn("drain-residency", zone, "choose another zone if that must not be",
			"documents of the zone will also be held in %s, which zone %s does not allow", spelling.List(outside), zone)
	}
	return &changed, found, nil
}

// reassigned gives what a namespace assigns to one zone to another.
func reassigned(world *topology.Topology, ns topology.Namespace, zone, into topology.ZoneID) topology.Namespace {
	ns.Ranges = slices.Clone(ns.Ranges)
	for i, r := range ns.Ranges {
		if r.Zone == zone {
			ns.Ranges[i].Zone = into
		}
	}
	if slices.Contains(placement.Named(world, ns), zone) {
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
		p, _ := layout.Placement(c.Name)
		left := number(c.Ranges, func(r zones.Range) bool {
			low, ok := shardkey.ReadBound(p.Key, r.Min)
			_, covered := p.ZoneOf(low.Full)
			return r.Zone == zone && !(ok && covered)
		})
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
// The result says that the datacenter is drained, so that plan, status and verify name what no zone takes away: see [Drained].
//
// A plan for the result needs Options.Prune to take the shards out of the zones; it puts the new ones in first. The error is ErrRefused where a zone would
// be left without a shard.
func DrainDatacenter(world *topology.Topology, state *zones.State, dc topology.DatacenterID) (*topology.Topology, []zones.Finding, error) {
	if _, ok := world.Datacenter(dc); !ok {
		return nil, nil, hint.NewOf(ErrRefused, "the datacenters are "+spelling.List(world.DatacenterIDs()), "drain datacenter %s: the datacenter is not declared", dc)
	}
	changed := *world
	changed.Zones = slices.Clone(world.Zones)
	changed.Datacenters = slices.Clone(world.Datacenters)
	for i, d := range world.Datacenters {
		changed.Datacenters[i].Drained = d.Drained || d.ID == dc
	}
	var found report
	for i, zone := range world.Zones {
		stay := slices.DeleteFunc(slices.Clone(zone.Shards), func(s topology.ShardID) bool { return world.HomeOf(s) == dc })
		switch {
		case len(stay) == len(zone.Shards):
			continue
		case len(takers(state, stay)) > 0:
			changed.Zones[i].Shards = stay
		default:
			nearest, to := nearestTakers(world, state, zone, dc)
			if len(nearest) == 0 {
				return nil, nil, hint.NewOf(ErrRefused,
					"allow another datacenter for the zone (allowedDatacenters), add a shard, or drain the zone into another: geoshard drain zone "+string(zone.ID)+" --into ZONE",
					"drain datacenter %s: zone %s would be left without a shard: no other datacenter has one that may hold its documents", dc, zone.ID)
			}
			changed.Zones[i].Shards = nearest
			found.note("drain-moves", zone.ID, "", "its documents move to %s in %s, the nearest datacenter that may hold them", spelling.List(nearest), to)
		}
	}
	if copies := heldIn(world, dc); len(copies) > 0 {
		found.note("drain-copies", dc, "draining moves homes; take members away with rs.remove()",
			"members of %s in the datacenter keep copies of their documents", spelling.List(copies))
	}
	if err := changed.Validate(); err != nil {
		found.warn("drain-invalid", dc, "fill the datacenter again, or take it out of geoshard.yaml with its members",
			"as a file, the drained world would be refused: %v", err)
	}
	return &changed, found, nil
}

// nearestTakers are the shards of the nearest other datacenter that can take a zone's documents and may hold them; none where no datacenter has one.
func nearestTakers(world *topology.Topology, state *zones.State, zone topology.Zone, from topology.DatacenterID) ([]topology.ShardID, topology.DatacenterID) {
	others := slices.DeleteFunc(world.DatacenterIDs(), func(dc topology.DatacenterID) bool { return dc == from })
	slices.SortFunc(others, func(a, b topology.DatacenterID) int {
		return cmp.Or(cmp.Compare(world.RTT(from, a), world.RTT(from, b)), cmp.Compare(a, b))
	})
	for _, dc := range others {
		var found []topology.ShardID
		for _, s := range world.ShardIDs() {
			if world.HomeOf(s) == dc && len(notAllowed(world, zone.AllowedDatacenters, []topology.ShardID{s})) == 0 {
				found = append(found, s)
			}
		}
		if found = takers(state, found); len(found) > 0 {
			return found, dc
		}
	}
	return nil, ""
}

// takers are those of some shards that the cluster has and that are not being removed from it.
func takers(state *zones.State, shards []topology.ShardID) []topology.ShardID {
	return slices.DeleteFunc(slices.Clone(shards), func(id topology.ShardID) bool {
		shard, ok := state.Shard(id)
		return !ok || shard.Draining
	})
}

// notAllowed lists the datacenters that hold some shards and are not among those allowed; none allowed means all.
func notAllowed(world *topology.Topology, allowed []topology.DatacenterID, shards []topology.ShardID) (outside []topology.DatacenterID) {
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
	return slices.DeleteFunc(world.ShardIDs(), func(id topology.ShardID) bool {
		shard, _ := world.Shard(id)
		return !slices.ContainsFunc(shard.Members, func(m topology.Member) bool { return m.DC == dc && !world.Arbiter(m) })
	})
}
