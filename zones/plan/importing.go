package plan

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// placeholderDatacenter is where an imported topology puts members whose datacenter is not known.
const placeholderDatacenter topology.DatacenterID = "UNKNOWN"

// placeholderRTT is the round-trip time of an imported link: a cluster does not know its links.
const placeholderRTT = time.Millisecond

// Import makes a topology of what a cluster is like: a plan of it without options is empty. What geoshard.yaml cannot express, and what the cluster does not
// know, is in the findings; those with SeverityError have to be dealt with before the topology is valid.
//
// Namespaces are collections with ranges. Any other is left out, because a declared one gets a range for each zone.
func Import(state *zones.State) (*topology.Topology, []zones.Finding, error) {
	if len(state.Shards) == 0 {
		return nil, nil, hint.NewOf(ErrRefused, "add a shard to it first (sh.addShard)", "import: the cluster has no shards")
	}
	i := &importer{world: &topology.Topology{Version: topology.CurrentVersion}, found: slices.Clone(state.Shards)}
	for n := range i.found {
		i.shard(&i.found[n])
	}
	i.datacenters()
	i.zones(state)
	for _, c := range state.Collections {
		if len(c.Ranges) > 0 {
			i.namespace(c)
		}
	}
	if err := i.world.Validate(); err != nil {
		i.fail("import-invalid", "geoshard.yaml", "change it by hand to what you want, or the cluster", "what the cluster is like breaks rules of geoshard.yaml: %v", err)
	}
	return i.world, i.report, nil
}

// An importer builds the topology.
type importer struct {
	world *topology.Topology
	// found are the cluster's shards, in the order of the world's, with stand-ins for members that could not be asked.
	found []zones.Shard
	report
}

func (i *importer) shard(s *zones.Shard) {
	shard := topology.Shard{ID: s.ID}
	if s.Members == nil {
		i.warn("import-unseen", s.ID, "correct their datacenters and priorities", "its servers could not be asked: its %s in the datacenter %s, with one priority",
			count(len(s.Hosts), "host is", "hosts are"), placeholderDatacenter)
		s.Members = slices.Repeat([]zones.Member{{DC: placeholderDatacenter, Priority: 1, Votes: 1}}, len(s.Hosts))
	}
	for _, m := range s.Members {
		member := topology.Member{DC: m.DC, Priority: m.Priority}
		if m.DC == "" {
			member.DC = placeholderDatacenter
			way := "write its datacenter instead, and set members[].tags.dc with rs.reconfig()"
			if m.Arbiter {
				way = "write its datacenter instead: arbiters can have no tags"
			}
			i.warn("import-untagged", m.Host, way, "a member of shard %s has no tag dc: it is in the datacenter %s", s.ID, placeholderDatacenter)
		}
		switch {
		case m.Delay > 0:
			i.note("import-delayed", m.Host, "", "a member of shard %s is delayed by %d s by design: it is declared like any other, and does not make reads local", s.ID, m.Delay)
		case m.Hidden:
			i.note("import-hidden", m.Host, "", "a member of shard %s is hidden: it is declared like any other, and does not make reads local", s.ID)
		}
		if m.Votes == 0 {
			i.note("import-non-voting", m.Host, "", "a member of shard %s has no vote: declared members always have one", s.ID)
		}
		shard.Members = append(shard.Members, member)
	}
	i.home(&shard, s.Members)
	i.world.Shards = append(i.world.Shards, shard)
}

// home gives the shard one home: where members of several datacenters share the highest priority, that of its primary of the moment.
func (i *importer) home(shard *topology.Shard, found []zones.Member) {
	highest, at := 0.0, -1
	for _, m := range found {
		highest = max(highest, m.Priority)
	}
	var tied []topology.DatacenterID
	for n, m := range shard.Members {
		if m.Priority != highest {
			continue
		}
		tied = addOnce(tied, m.DC)
		if at < 0 || found[n].Primary {
			at = n
		}
	}
	if len(tied) < 2 {
		return
	}
	const most = 1000 // MongoDB's highest priority
	for n := range shard.Members {
		if highest == most && n != at {
			shard.Members[n].Priority = min(shard.Members[n].Priority, most-1)
		}
	}
	shard.Members[at].Priority = min(highest+1, most)
	i.warn("import-home", shard.ID, "choose its home, and give its members these priorities with rs.reconfig()",
		"members of several datacenters share the highest priority, %v: the shard is declared at home in %s, with priority %v", highest, shard.Members[at].DC, shard.Members[at].Priority)
}

// datacenters lists the tags. A datacenter with homes is active, one with arbiters alone a voter, and any other passive.
func (i *importer) datacenters() {
	data := map[topology.DatacenterID]bool{}
	for n, s := range i.world.Shards {
		for k, m := range s.Members {
			data[m.DC] = data[m.DC] || !i.found[n].Members[k].Arbiter
		}
	}
	for n, s := range i.found {
		i.arbiters(&i.world.Shards[n], s, data)
	}
	for _, id := range slices.Sorted(maps.Keys(data)) {
		role := topology.RolePassive
		switch {
		case !data[id]:
			role = topology.RoleVoter
		case slices.ContainsFunc(i.world.ShardIDs(), func(s topology.ShardID) bool { return i.world.HomeOf(s) == id }):
			role = topology.RoleActive
		}
		for _, other := range i.world.Datacenters {
			i.world.Links = append(i.world.Links, topology.Link{Between: [2]topology.DatacenterID{other.ID, id}, RTT: placeholderRTT})
		}
		i.world.Datacenters = append(i.world.Datacenters, topology.Datacenter{ID: id, Role: role})
	}
	if len(i.world.Links) > 0 {
		i.warn("import-links", "links", "write the measured ones", "a cluster does not know its links: each has the placeholder rtt %v", placeholderRTT)
	}
}

// arbiters drops those that are not in a voter datacenter: geoshard.yaml has arbiters only there.
func (i *importer) arbiters(shard *topology.Shard, s zones.Shard, data map[topology.DatacenterID]bool) {
	var kept []topology.Member
	for n, m := range shard.Members {
		switch {
		case !s.Members[n].Arbiter:
		case data[m.DC]:
			i.warn("import-arbiter", s.Members[n].Host, "", "an arbiter of shard %s is in %s, which holds documents: geoshard.yaml declares arbiters only in datacenters with role: voter, so it is left out", s.ID, m.DC)
			continue
		default:
			m.Priority = 0
		}
		kept = append(kept, m)
	}
	shard.Members = kept
}

func (i *importer) zones(state *zones.State) {
	shards := state.ShardsByZone()
	for _, c := range state.Collections {
		for _, r := range c.Ranges {
			if _, known := shards[r.Zone]; !known {
				shards[r.Zone] = nil
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(shards)) {
		zone := topology.Zone{ID: id, Shards: shards[id]}
		zone.AllowedDatacenters = i.allowed(zone)
		i.world.Zones = append(i.world.Zones, zone)
	}
}

// allowed is nil where each active datacenter holds the whole zone. Elsewhere geoshard.yaml has to say that it is kept out, or it would miss the copies.
func (i *importer) allowed(zone topology.Zone) (allowed []topology.DatacenterID) {
	everywhere := true
	for _, dc := range i.world.Datacenters {
		held := heldIn(i.world, dc.ID)
		holding := number(zone.Shards, func(id topology.ShardID) bool { return slices.Contains(held, id) })
		if holding > 0 {
			allowed = append(allowed, dc.ID)
		}
		everywhere = everywhere && (dc.Role != topology.RoleActive || holding == len(zone.Shards))
	}
	if everywhere {
		return nil
	}
	i.note("import-residency", zone.ID, "take the line away if the zone may be held elsewhere as well", "not every active datacenter holds the zone: allowedDatacenters are those that do")
	return allowed
}

// namespace declares a collection with its ranges.
func (i *importer) namespace(c zones.Collection) {
	if wrong := topology.CollectionProblem(c.Name); wrong != "" {
		i.warn("import-name", c.Name, "rename it to declare it", "geoshard.yaml cannot name the collection: %s; it is left out, and stays as it is", wrong)
		return
	}
	key := c.Key
	if !c.Sharded {
		key = keyOfRanges(c.Ranges)
		i.warn("import-key", c.Name, "write the key by which it will be sharded", "the collection has ranges, but is not sharded: its key %s is guessed from them", key)
	}
	if len(key) == 0 || key[0].Hashed {
		i.warn("import-range", c.Name, "", "its ranges are of the hashes of a field, which geoshard.yaml cannot express: the collection is left out, and stays as it is")
		return
	}
	ns := topology.Namespace{Name: c.Name, Key: key, ZoneBy: key[0].Name, Unknown: topology.UnknownReport}
	for _, r := range c.Ranges {
		found := readRange(key, r)
		if !found.ofKey {
			i.warn("import-range", c.Name, "remove the range (sh.removeRangeFromZone) and import again", "%s has other fields than the key %s: the collection is left out, and stays as it is", r, key)
			return
		}
		if !addRange(&ns, key, found) {
			i.warn("import-range", c.Name, "", "%s is a range that geoshard.yaml cannot express: it is left out, and stays as it is as long as you do not prune", r)
		}
	}
	if len(ns.Ranges) == 0 && ns.Unknown != topology.UnknownToZone {
		return // each of its ranges is in the findings
	}
	i.onlyRanges(&ns)
	i.validator(&ns, c)
	i.world.Namespaces = append(i.world.Namespaces, ns)
}

// validator finds again that undeclared values are refused.
func (i *importer) validator(ns *topology.Namespace, c zones.Collection) {
	ours, _ := zones.SplitValidator(c.Validator)
	if ours == nil {
		return
	}
	if ns.Unknown == topology.UnknownReport {
		ns.Unknown = topology.UnknownReject
	}
	declared, _ := declaredRanges(i.world, *ns)
	if ns.Unknown != topology.UnknownReject || !bytes.Equal(ours, zones.Rejection(ns.ZoneBy, declared)) {
		i.warn("import-validator", c.Name, "", "its validator refuses other values than those that its ranges leave out: a plan will correct it")
	}
}

// addRange adds a range to those of a namespace; ok is false if they cannot express it.
func addRange(ns *topology.Namespace, key topology.Key, r foundRange) (ok bool) {
	from, okFrom := firstOf(key, r.low)
	to, okTo := firstOf(key, r.high)
	if !okFrom || !okTo || shardkey.Compare(from, to) >= 0 {
		return false
	}
	first, okFrom := declaredEnd(from, bson.TypeMinKey)
	end, okTo := declaredEnd(to, bson.TypeMaxKey)
	next, _ := shardkey.Successor(from)
	switch {
	case !okFrom:
		return false
	case first == nil && end == nil:
		ns.Unknown, ns.UnknownZone = topology.UnknownToZone, r.Zone
	case next.Type != 0 && shardkey.Compare(next, to) == 0:
		addValue(ns, r.Zone, *first)
	case !okTo || first != nil && end != nil && !sameClass(first.Kind(), end.Kind()):
		return false
	default:
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: r.Zone, From: first, To: end})
	}
	return true
}

// declaredEnd is one end of a range as the topology has it, nil for one that is open.
func declaredEnd(v bson.RawValue, open bson.Type) (end *topology.Value, ok bool) {
	if v.Type == open {
		return nil, true
	}
	declared, ok := shardkey.Declared(v)
	return &declared, ok
}

// addValue adds a value to those of its zone.
func addValue(ns *topology.Namespace, zone topology.ZoneID, v topology.Value) {
	for n, r := range ns.Ranges {
		if r.Zone == zone && len(r.Values) > 0 {
			ns.Ranges[n].Values = append(r.Values, v)
			return
		}
	}
	ns.Ranges = append(ns.Ranges, topology.Range{Zone: zone, Values: []topology.Value{v}})
}

// firstOf is the value at which a bound begins in the first field. It is false for a bound inside the documents of one value.
func firstOf(key topology.Key, b shardkey.Bound) (bson.RawValue, bool) {
	first, _ := shardkey.FirstTwo(b.Tight)
	return first, shardkey.CompareKeys(b.Tight, shardkey.StartOf(key, first)) == 0
}

// onlyRanges ends the rule that a zone takes the values of its own name where it would add a range. Where it would not, the rule replaces what it says itself.
func (i *importer) onlyRanges(ns *topology.Namespace) {
	ns.OnlyRanges = len(placement.Named(i.world, *ns)) > 0
	if ns.OnlyRanges {
		return
	}
	for n, r := range ns.Ranges {
		ns.Ranges[n].Values = slices.DeleteFunc(r.Values, func(v topology.Value) bool { return v == topology.StringOf(string(r.Zone)) })
	}
	if ns.Ranges = slices.DeleteFunc(ns.Ranges, func(r topology.Range) bool { return len(r.Values) == 0 && r.From == nil && r.To == nil }); len(ns.Ranges) == 0 {
		ns.Ranges = nil
	}
}
