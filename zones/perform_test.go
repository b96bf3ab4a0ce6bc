package zones

import (
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/internal/routing"
	"github.com/geoshard/geoshard/topology"
)

// The server's refusals, by its own names.
var (
	errZoneNotFound   = errors.New("ZoneNotFound")
	errRangeOverlap   = errors.New("RangeOverlapConflict")
	errZoneStillInUse = errors.New("ZoneStillInUse")
	errNoSuchThing    = errors.New("silent no-op: there is nothing of that kind")
	errPrefixBounds   = errors.New("SERVER-103833: a range's bounds are no full keys")
	errNotHeld        = errors.New("a sharded collection lost a range and got another while the balancer looked after it")
)

// A model is a cluster as a value: changes have the effect that the server gives them, or are refused as the server does.
type model struct {
	state State
	// bare are ranges that were taken away, by collection, while the balancer looked after it.
	bare map[string][]Range
	// released counts collections that are left alone and were not before.
	held map[string]bool
}

func newModel(s *State) *model {
	m := &model{state: *s, bare: map[string][]Range{}, held: map[string]bool{}}
	m.state.Shards = slices.Clone(s.Shards)
	for i, shard := range m.state.Shards {
		m.state.Shards[i].Zones = slices.Clone(shard.Zones)
	}
	m.state.Collections = slices.Clone(s.Collections)
	for i, c := range m.state.Collections {
		m.state.Collections[i].Ranges = slices.Clone(c.Ranges)
	}
	return m
}

func (m *model) performAll(steps []Step) error {
	for i, step := range steps {
		if err := m.perform(step.Change); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.Change, err)
		}
	}
	for collection := range m.held {
		return fmt.Errorf("%s is still held", collection)
	}
	return nil
}

func (m *model) perform(c Change) error {
	switch c := c.(type) {
	case AddShardToZone:
		return m.setZones(c.Shard, func(zones []topology.ZoneID) []topology.ZoneID {
			zones = append(slices.DeleteFunc(zones, func(z topology.ZoneID) bool { return z == c.Zone }), c.Zone)
			slices.Sort(zones)
			return zones
		})
	case RemoveShardFromZone:
		if m.shardsIn(c.Zone) == 1 && slices.ContainsFunc(m.state.Collections, func(coll Collection) bool {
			return slices.ContainsFunc(coll.Ranges, func(r Range) bool { return r.Zone == c.Zone })
		}) {
			return errZoneStillInUse
		}
		return m.setZones(c.Shard, func(zones []topology.ZoneID) []topology.ZoneID {
			return slices.DeleteFunc(zones, func(z topology.ZoneID) bool { return z == c.Zone })
		})
	case HoldBalancing:
		m.held[c.Collection] = true
		return m.change(c.Collection, true, func(coll *Collection) error { coll.NoBalance = true; return nil })
	case ReleaseBalancing:
		delete(m.held, c.Collection)
		m.bare[c.Collection] = nil
		return m.change(c.Collection, true, func(coll *Collection) error { coll.NoBalance = false; return nil })
	case RemoveRange:
		return m.change(c.Collection, false, func(coll *Collection) error { return m.removeRange(coll, c.Range) })
	case AddRange:
		return m.change(c.Collection, false, func(coll *Collection) error { return m.addRange(coll, c.Range) })
	case ShardCollection:
		return m.change(c.Collection, false, func(coll *Collection) error { return shard(coll, c.Key) })
	case SetValidator:
		return m.change(c.Collection, false, func(coll *Collection) error {
			if !coll.Exists && c.Validator == nil {
				return errNoSuchThing
			}
			if !coll.Exists {
				coll.Exists, coll.Sizes = true, map[topology.ShardID]Size{}
			}
			coll.Validator, coll.ValidationLevel, coll.ValidationAction = c.Validator, c.Level, c.Action
			return nil
		})
	default:
		return fmt.Errorf("unknown change %T", c)
	}
}

func (m *model) shardsIn(zone topology.ZoneID) int {
	n := 0
	for _, s := range m.state.Shards {
		if slices.Contains(s.Zones, zone) {
			n++
		}
	}
	return n
}

func (m *model) setZones(id topology.ShardID, to func([]topology.ZoneID) []topology.ZoneID) error {
	for i, s := range m.state.Shards {
		if s.ID == id {
			m.state.Shards[i].Zones = to(s.Zones)
			return nil
		}
	}
	return errNoSuchThing
}

// change changes a collection, which the catalogue may not have yet.
func (m *model) change(name string, sharded bool, do func(*Collection) error) error {
	i := slices.IndexFunc(m.state.Collections, func(c Collection) bool { return c.Name == name })
	if i < 0 {
		m.state.Collections = append(m.state.Collections, Collection{Name: name})
		i = len(m.state.Collections) - 1
	}
	c := &m.state.Collections[i]
	if sharded && !c.Sharded {
		return errNoSuchThing
	}
	return do(c)
}

func (m *model) removeRange(c *Collection, r Range) error {
	before := len(c.Ranges)
	c.Ranges = slices.DeleteFunc(c.Ranges, func(have Range) bool {
		return routing.CompareKeys(have.Min, r.Min) == 0 && routing.CompareKeys(have.Max, r.Max) == 0
	})
	if len(c.Ranges) == before {
		return errNoSuchThing
	}
	if c.Sharded && !c.NoBalance {
		m.bare[c.Name] = append(m.bare[c.Name], r)
	}
	return nil
}

func (m *model) addRange(c *Collection, r Range) error {
	if m.shardsIn(r.Zone) == 0 {
		return errZoneNotFound
	}
	if c.Sharded && !isFull(c.Key, r) {
		return errPrefixBounds
	}
	if slices.ContainsFunc(m.bare[c.Name], func(gone Range) bool { return overlap(gone, r) }) {
		return errNotHeld
	}
	if slices.ContainsFunc(c.Ranges, func(have Range) bool { return overlap(have, r) }) {
		return errRangeOverlap
	}
	c.Ranges = append(c.Ranges, r)
	sortRanges(c.Ranges)
	return nil
}

func overlap(a, b Range) bool {
	return routing.CompareKeys(a.Min, b.Max) < 0 && routing.CompareKeys(b.Min, a.Max) < 0
}

func isFull(key topology.Key, r Range) bool {
	_, low, _ := fullKey(key, r.Min)
	_, high, _ := fullKey(key, r.Max)
	return low && high
}

// shard makes one chunk of each range and each gap.
func shard(c *Collection, key topology.Key) error {
	if !c.shardable() {
		return errNoSuchThing
	}
	for _, r := range c.Ranges {
		if !isFull(key, r) {
			return errPrefixBounds
		}
	}
	c.Exists, c.Sharded, c.Key = true, true, key
	c.Chunks = []Chunk{{Min: bound(key, minKey), Max: bound(key, maxKey), Shard: "s0"}}
	return nil
}

// doc encodes a document.
func doc(d bson.D) bson.Raw { return document(d) }
