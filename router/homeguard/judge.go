package homeguard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/internal/routing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A Verdict says what an operation's key says about its home.
type Verdict int

// The verdicts.
const (
	VerdictUnknown Verdict = iota
	// VerdictOutside: the namespace is not declared, so nothing is known of it.
	VerdictOutside
	// VerdictHome: all that it names is at home here.
	VerdictHome
	// VerdictRemote: it names keys that are at home in another datacenter, all or some of them.
	VerdictRemote
	// VerdictNoKey: it says nothing for certain about the zone key, so every shard is asked.
	VerdictNoKey
	// VerdictUnplaced: it names keys that no zone takes, so they may be on any shard; or none at all, as {$in: []} does, for which the query router asks one of them.
	VerdictUnplaced
)

var verdictNames = []string{"unknown", "outside", "home", "remote", "no-key", "unplaced"}

// String is "outside", "home", "remote", "no-key" or "unplaced".
func (v Verdict) String() string { return enum.Name(verdictNames, v) }

// MarshalText returns what String does.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// A Judgement says where an operation goes. Its slices are shared: do not change them.
type Judgement struct {
	Verdict Verdict
	// Zones are those that own keys which it may touch, sorted; without the keys of no zone, which lie on any shard.
	Zones []topology.ZoneID
	// Shards are those that it may touch, sorted.
	Shards []topology.ShardID
	// Datacenters are where it has to go, sorted: the homes of the shards; this one where the operation is a read that its members may answer.
	Datacenters []topology.DatacenterID
	// Cross says that one of the datacenters is another than here.
	Cross bool
}

// A reach says which members may answer an operation.
type reach int

const (
	// primaries alone: writes, and reads with the preference primary or primaryPreferred.
	primaries reach = iota
	// secondaries: reads with the preference secondary or secondaryPreferred. They pass by a primary, even if it is the only member here.
	secondaries
	// nearest: reads with the preference nearest.
	nearest
	reaches
)

// outside is the judgement on every namespace that is not declared.
var outside = &Judgement{Verdict: VerdictOutside}

// gap stands in the routing table for the keys that no zone takes. No zone has that name: it would be the first in order of names.
const gap topology.ShardID = "\x00"

// A judge knows the declared namespaces as one datacenter sees them. It never changes.
type judge struct {
	world *topology.Topology
	here  topology.DatacenterID
	exact map[string]*place
	// patterns are sorted, the longest first.
	patterns []*place
}

// A place is one declared namespace: its zones laid out like the chunks of a routing table, one "shard" for each zone.
type place struct {
	ns    topology.Namespace
	table *routing.Table
	zone  routing.Pattern // the zone field alone
	// single are the judgements on operations that touch one zone, by the zone's name.
	single [reaches]map[topology.ShardID]*Judgement
	// all are those on operations that say nothing about the zone key, none those on operations that nothing can match.
	all, none [reaches]*Judgement
}

func newJudge(world *topology.Topology, here topology.DatacenterID) (*judge, error) {
	j := &judge{world: world, here: here, exact: map[string]*place{}}
	var problems []error
	for _, ns := range world.Namespaces {
		p, err := j.place(ns)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("namespace %s: %w", ns.Name, err))
		case ns.IsPattern():
			j.patterns = append(j.patterns, p)
		default:
			j.exact[ns.Name] = p
		}
	}
	slices.SortFunc(j.patterns, func(a, b *place) int { return len(b.ns.Name) - len(a.ns.Name) })
	return j, errors.Join(problems...)
}

// place lays out a namespace as zones.Want does, so that the guard and the plan cannot differ.
func (j *judge) place(ns topology.Namespace) (*place, error) {
	world := *j.world
	world.Namespaces = []topology.Namespace{ns}
	sample := strings.TrimSuffix(ns.Name, "*")
	if ns.IsPattern() {
		sample += "\x00" // a name that the pattern covers
	}
	state := &zones.State{Collections: []zones.Collection{{Name: sample, Exists: true, Sharded: true, Key: ns.Key}}}
	for _, s := range world.Shards {
		state.Shards = append(state.Shards, zones.Shard{ID: s.ID})
	}
	layout, err := zones.Want(&world, state, zones.PlanOptions{})
	if err != nil {
		return nil, err
	}
	if len(layout.Collections) != 1 {
		return nil, fmt.Errorf("its shard key %s does not begin with %s", ns.Key, ns.ZoneBy)
	}
	p := &place{ns: ns}
	if p.table, err = tableOf(ns, layout.Collections[0].Ranges); err != nil {
		return nil, err
	}
	if p.zone, err = routing.ParsePattern(document(bson.D{{Key: ns.ZoneBy, Value: 1}})); err != nil {
		return nil, err
	}
	for r := range reaches {
		p.single[r] = map[topology.ShardID]*Judgement{}
		for _, zone := range p.table.Shards() {
			p.single[r][zone] = j.judgement([]topology.ShardID{zone}, VerdictUnknown, r)
		}
		p.all[r] = j.judgement(p.table.Shards(), VerdictNoKey, r)
		p.none[r] = j.judgement(p.table.Shards(), VerdictUnplaced, r)
	}
	return p, nil
}

// tableOf makes a routing table whose chunks are the declared ranges and the gaps between them, and whose shards are the zones and gap.
func tableOf(ns topology.Namespace, ranges []zones.Range) (*routing.Table, error) {
	key := bson.D{}
	lowest, highest := bson.D{}, bson.D{}
	for _, f := range ns.Key {
		kind := any(1)
		if f.Hashed {
			kind = "hashed"
		}
		key = append(key, bson.E{Key: f.Name, Value: kind})
		lowest = append(lowest, bson.E{Key: f.Name, Value: bson.MinKey{}})
		highest = append(highest, bson.E{Key: f.Name, Value: bson.MaxKey{}})
	}
	var chunks []bson.Raw
	chunk := func(from, to bson.Raw, shard topology.ShardID) {
		if routing.CompareKeys(from, to) < 0 {
			chunks = append(chunks, document(bson.D{{Key: "min", Value: from}, {Key: "max", Value: to}, {Key: "shard", Value: shard},
				{Key: "lastmod", Value: bson.Timestamp{T: 1}}}))
		}
	}
	end := document(lowest)
	for _, r := range ranges {
		chunk(end, r.Min, gap)
		chunk(r.Min, r.Max, topology.ShardID(r.Zone))
		end = r.Max
	}
	chunk(end, document(highest), gap)
	return routing.NewTable(document(bson.D{{Key: "_id", Value: ns.Name}, {Key: "key", Value: key}}), chunks)
}

// document encodes what is known to encode.
func document(d bson.D) bson.Raw {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

// judgement works out a judgement on an operation that touches some of the table's zones. The verdict unknown is for it to find.
func (j *judge) judgement(touched []topology.ShardID, verdict Verdict, r reach) *Judgement {
	out := &Judgement{Verdict: verdict}
	for _, zone := range touched {
		if zone == gap {
			for _, s := range j.world.Shards {
				out.Shards = append(out.Shards, s.ID)
			}
			if verdict == VerdictUnknown && len(touched) == 1 {
				out.Verdict = VerdictUnplaced
			}
			continue
		}
		declared, _ := j.world.Zone(topology.ZoneID(zone))
		out.Zones = append(out.Zones, declared.ID)
		out.Shards = append(out.Shards, declared.Shards...)
	}
	slices.Sort(out.Shards)
	out.Shards = slices.Compact(out.Shards)
	atHome := true
	for _, s := range out.Shards {
		atHome = atHome && j.world.HomeOf(s) == j.here
		out.Datacenters = append(out.Datacenters, j.answers(s, r))
	}
	slices.Sort(out.Datacenters)
	out.Datacenters = slices.Compact(out.Datacenters)
	out.Cross = slices.ContainsFunc(out.Datacenters, func(dc topology.DatacenterID) bool { return dc != j.here })
	if out.Verdict == VerdictUnknown {
		out.Verdict = VerdictRemote
		if atHome {
			out.Verdict = VerdictHome
		}
	}
	return out
}

// answers is the datacenter of the member that answers for a shard: its preferred primary, or the nearest that the reach allows.
func (j *judge) answers(id topology.ShardID, r reach) topology.DatacenterID {
	home := j.world.HomeOf(id)
	if r == primaries {
		return home
	}
	shard, _ := j.world.Shard(id)
	best, primaryMet := topology.DatacenterID(""), false
	for _, m := range shard.Members {
		if j.world.Arbiter(m) {
			continue
		}
		if r == secondaries && m.DC == home && !primaryMet {
			primaryMet = true // one member at home is the primary
			continue
		}
		if best == "" || j.world.RTT(j.here, m.DC) < j.world.RTT(j.here, best) {
			best = m.DC
		}
	}
	if best == "" {
		return home
	}
	return best
}

// placeOf returns the namespace that decides on a collection.
func (j *judge) placeOf(collection string) *place {
	if p, ok := j.exact[collection]; ok {
		return p
	}
	for _, p := range j.patterns {
		if p.ns.Covers(collection) {
			return p
		}
	}
	return nil
}

// judgeFilter judges an operation on the documents that a filter matches.
func (j *judge) judgeFilter(p *place, filter, collation bson.Raw, r reach) *Judgement {
	if p == nil {
		return outside
	}
	target := p.table.Target(filter, collation)
	touched := target.Shards
	if len(touched) == 1 {
		if target.Key == nil && len(p.table.Pattern().Ranges(filter)) == 0 {
			return p.none[r]
		}
		return p.single[r][touched[0]]
	}
	if len(touched) == len(p.table.Shards()) && p.open(filter) {
		return p.all[r]
	}
	return j.judgement(touched, VerdictUnknown, r)
}

// open says whether a filter leaves the zone field open: it may have any value.
func (p *place) open(filter bson.Raw) bool {
	ranges := p.zone.Ranges(filter)
	if len(ranges) != 1 {
		return len(ranges) == 0
	}
	low, high := ranges[0].Lowest.Index(0).Value(), ranges[0].Highest.Index(0).Value()
	return low.Type == bson.TypeMinKey && high.Type == bson.TypeMaxKey
}

// judgeDocument judges the insertion of a document.
func (j *judge) judgeDocument(p *place, doc bson.Raw) *Judgement {
	if p == nil {
		return outside
	}
	var buffer [128]byte
	key, err := p.table.Pattern().AppendKeyOf(buffer[:0], doc)
	if err != nil {
		return p.single[primaries][p.table.Shards()[0]] // the server refuses it: an array in the shard key
	}
	zone := p.table.ShardFor(key)
	if found, ok := p.single[primaries][zone]; ok {
		return found
	}
	return j.judgement([]topology.ShardID{gap}, VerdictUnknown, primaries) // MaxKey in every field: the server refuses it, too
}
