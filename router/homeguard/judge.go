package homeguard

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
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

// gap stands for the zone of the keys that no zone takes. It is the first in the order of names.
const gap topology.ZoneID = ""

// A judge knows the declared namespaces as one datacenter sees them. It never changes.
type judge struct {
	world *topology.Topology
	here  topology.DatacenterID
	// places are by the names of their namespaces.
	places map[string]*place
}

// A place is one declared namespace.
type place struct {
	ns topology.Namespace
	// key is the shard key, zone the zone field alone.
	key, zone shardkey.Pattern
	// ranges are sorted and have all keys: those that are declared, and the gaps between them.
	ranges []zones.Range
	// zones are those of the ranges, sorted.
	zones []topology.ZoneID
	// single are the judgements on operations that touch one zone.
	single [reaches]map[topology.ZoneID]*Judgement
	// all are those on operations that say nothing about the zone key, none those on operations that nothing can match.
	all, none [reaches]*Judgement
}

func newJudge(world *topology.Topology, here topology.DatacenterID) (*judge, error) {
	j := &judge{world: world, here: here, places: map[string]*place{}}
	var problems []error
	for _, zone := range world.Zones {
		for _, id := range zone.Shards {
			if _, ok := world.Shard(id); !ok {
				problems = append(problems, plan.UnknownShard(zone.ID, id, nil))
			}
		}
	}
	for _, ns := range world.Namespaces {
		p, err := j.place(ns)
		if err != nil {
			problems = append(problems, fmt.Errorf("namespace %s: %w", ns.Name, err))
		}
		j.places[ns.Name] = p
	}
	return j, errors.Join(problems...)
}

// place lays out a namespace as plan.Want does, so that the guard and the plan cannot differ.
func (j *judge) place(ns topology.Namespace) (*place, error) {
	declared, err := plan.RangesOf(j.world, ns, ns.Key)
	if err != nil {
		return nil, err
	}
	if len(ns.Key) == 0 || ns.Key[0].Name != ns.ZoneBy {
		return nil, fmt.Errorf("its shard key %s does not begin with %s", ns.Key, ns.ZoneBy)
	}
	p := &place{ns: ns, ranges: plan.WithGaps(ns.Key, declared, gap)}
	p.key, _ = shardkey.ParsePattern(document(shardkey.PatternOf(ns.Key))) // it has fields
	p.zone, _ = shardkey.ParsePattern(document(shardkey.PatternOf(ns.Key[:1])))
	for _, r := range p.ranges {
		p.zones = append(p.zones, r.Zone)
	}
	p.zones = distinct(p.zones)
	for r := range reaches {
		p.single[r] = map[topology.ZoneID]*Judgement{}
		for _, zone := range p.zones {
			p.single[r][zone] = j.judgement([]topology.ZoneID{zone}, VerdictUnknown, r)
		}
		p.all[r] = j.judgement(p.zones, VerdictNoKey, r)
		p.none[r] = j.judgement(p.zones, VerdictUnplaced, r)
	}
	return p, nil
}

// rangeAt is the index of the range that has a key. It is len(p.ranges) for the one key that none has: MaxKey in every field.
func (p *place) rangeAt(key bson.Raw) int {
	return sort.Search(len(p.ranges), func(i int) bool { return shardkey.CompareKeys(key, p.ranges[i].Max) < 0 })
}

// touched are the zones of the keys in some ranges, sorted.
func (p *place) touched(keys []shardkey.Range) []topology.ZoneID {
	var found []topology.ZoneID
	last := len(p.ranges) - 1
	for _, k := range keys {
		for _, r := range p.ranges[min(p.rangeAt(k.Lowest), last) : min(p.rangeAt(k.Highest), last)+1] {
			if !slices.Contains(found, r.Zone) {
				found = append(found, r.Zone)
			}
		}
	}
	slices.Sort(found)
	return found
}

// distinct sorts a list, and keeps each element once.
func distinct[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return slices.Compact(list)
}

// document encodes what is known to encode.
func document(d bson.D) bson.Raw {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

// judgement works out a judgement on an operation that touches some of a namespace's zones. The verdict unknown is for it to find.
func (j *judge) judgement(touched []topology.ZoneID, verdict Verdict, r reach) *Judgement {
	out := &Judgement{Verdict: verdict}
	for _, zone := range touched {
		if zone == gap {
			out.Shards = append(out.Shards, j.world.ShardIDs()...)
			if verdict == VerdictUnknown && len(touched) == 1 {
				out.Verdict = VerdictUnplaced
			}
			continue
		}
		declared, _ := j.world.Zone(zone)
		out.Zones = append(out.Zones, declared.ID)
		out.Shards = append(out.Shards, declared.Shards...)
	}
	out.Shards = distinct(out.Shards)
	atHome := true
	for _, s := range out.Shards {
		atHome = atHome && j.world.HomeOf(s) == j.here
		out.Datacenters = append(out.Datacenters, j.answers(s, r))
	}
	out.Datacenters = distinct(out.Datacenters)
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
	return cmp.Or(best, home)
}

// placeOf returns the namespace that decides on a collection; nil if none is declared.
func (j *judge) placeOf(collection string) *place {
	ns, _ := j.world.NamespaceOf(collection)
	return j.places[ns.Name]
}

// judgeFilter judges an operation on the documents that a filter matches.
func (j *judge) judgeFilter(p *place, filter, collation bson.Raw, r reach) *Judgement {
	keys := p.key.Cover(filter, collation)
	touched := p.touched(keys)
	switch {
	case len(keys) == 0:
		return p.none[r]
	case len(touched) == 1:
		return p.single[r][touched[0]]
	case len(touched) == len(p.zones) && p.open(filter):
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
	var buffer [128]byte
	key, err := p.key.AppendKeyOf(buffer[:0], doc)
	if err != nil {
		return p.single[primaries][p.zones[0]] // the server refuses it: an array in the shard key
	}
	if i := p.rangeAt(key); i < len(p.ranges) {
		return p.single[primaries][p.ranges[i].Zone]
	}
	return j.judgement([]topology.ZoneID{gap}, VerdictUnknown, primaries) // MaxKey in every field: the server refuses it, too
}
