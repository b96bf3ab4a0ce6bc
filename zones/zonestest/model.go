package zonestest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// The refusals of a server, by their names in its error codes.
var (
	ErrShardNotFound    = errors.New("ShardNotFound")
	ErrZoneNotFound     = errors.New("ZoneNotFound")
	ErrZoneStillInUse   = errors.New("ZoneStillInUse")
	ErrRangeOverlap     = errors.New("RangeOverlapConflict")
	ErrAlreadySharded   = errors.New("AlreadyInitialized")
	ErrNamespaceUnknown = errors.New("NamespaceNotSharded")
	ErrNotACollection   = errors.New("CommandNotSupportedOnView")
	// ErrDocuments is a collection that has documents: sharding it would leave them where they are, whatever its zones.
	ErrDocuments = errors.New("the collection has documents")
)

// A Model is a cluster's catalogue in memory. It is a apply.Reader and a apply.Performer, safe for concurrent use.
type Model struct {
	mu    sync.Mutex
	state zones.State // guarded by mu
}

var (
	_ apply.Reader    = (*Model)(nil)
	_ apply.Performer = (*Model)(nil)
)

// New returns a model of a cluster that has that state.
func New(state zones.State) *Model { return &Model{state: clone(state)} }

// clone copies what the model changes.
func clone(s zones.State) zones.State {
	s.Shards = slices.Clone(s.Shards)
	for i := range s.Shards {
		s.Shards[i].Zones = slices.Clone(s.Shards[i].Zones)
	}
	s.Collections = slices.Clone(s.Collections)
	for i := range s.Collections {
		s.Collections[i].Ranges = slices.Clone(s.Collections[i].Ranges)
	}
	return s
}

// State returns the whole state.
func (m *Model) State() *zones.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := clone(m.state)
	return &state
}

// Read returns the state. The model has little, so it is read whole, whatever the namespaces.
func (m *Model) Read(ctx context.Context, _ []string) (*zones.State, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return m.State(), nil
}

// Perform makes a change, or refuses it as a server would.
func (m *Model) Perform(ctx context.Context, c zones.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch c := c.(type) {
	case zones.AddShardToZone:
		return m.addShardLocked(c)
	case zones.RemoveShardFromZone:
		return m.removeShardLocked(c)
	case zones.HoldBalancing:
		return m.balanceLocked(c.Collection, true)
	case zones.ReleaseBalancing:
		return m.balanceLocked(c.Collection, false)
	case zones.AddRange:
		return m.addRangeLocked(c)
	case zones.RemoveRange:
		at := m.collectionLocked(c.Collection)
		at.Ranges = slices.DeleteFunc(at.Ranges, func(r zones.Range) bool { return sameBounds(r, c.Range) })
		return nil
	case zones.ShardCollection:
		return m.shardLocked(c)
	case zones.SetValidator:
		at := m.collectionLocked(c.Collection)
		if c.Validator != nil && !at.Exists {
			at.Exists, at.Sizes = true, map[topology.ShardID]zones.Size{}
		}
		at.Validator, at.ValidationLevel, at.ValidationAction = c.Validator, c.Level, c.Action
		return nil
	default:
		return fmt.Errorf("the model has no %T", c)
	}
}

func (m *Model) shardOf(id topology.ShardID) (*zones.Shard, error) {
	for i := range m.state.Shards {
		if m.state.Shards[i].ID == id {
			return &m.state.Shards[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrShardNotFound, id)
}

func (m *Model) addShardLocked(c zones.AddShardToZone) error {
	shard, err := m.shardOf(c.Shard)
	if err != nil {
		return err
	}
	if !slices.Contains(shard.Zones, c.Zone) {
		shard.Zones = append(shard.Zones, c.Zone)
		slices.Sort(shard.Zones)
	}
	return nil
}

func (m *Model) removeShardLocked(c zones.RemoveShardFromZone) error {
	shard, err := m.shardOf(c.Shard)
	if err != nil || !slices.Contains(shard.Zones, c.Zone) {
		return err
	}
	if m.shardsOfLocked(c.Zone) == 1 && m.hasRangesLocked(c.Zone) {
		return fmt.Errorf("%w: %s", ErrZoneStillInUse, c.Zone)
	}
	shard.Zones = slices.DeleteFunc(shard.Zones, func(z topology.ZoneID) bool { return z == c.Zone })
	return nil
}

func (m *Model) shardsOfLocked(zone topology.ZoneID) int {
	n := 0
	for _, s := range m.state.Shards {
		if slices.Contains(s.Zones, zone) {
			n++
		}
	}
	return n
}

func (m *Model) hasRangesLocked(zone topology.ZoneID) bool {
	return slices.ContainsFunc(m.state.Collections, func(c zones.Collection) bool {
		return slices.ContainsFunc(c.Ranges, func(r zones.Range) bool { return r.Zone == zone })
	})
}

// collectionLocked is the catalogue's entry for a namespace, which ranges make as well.
func (m *Model) collectionLocked(name string) *zones.Collection {
	i, found := slices.BinarySearchFunc(m.state.Collections, name, func(c zones.Collection, name string) int { return cmp.Compare(c.Name, name) })
	if !found {
		m.state.Collections = slices.Insert(m.state.Collections, i, zones.Collection{Name: name})
	}
	return &m.state.Collections[i]
}

func (m *Model) balanceLocked(name string, held bool) error {
	c := m.collectionLocked(name)
	if !c.Sharded {
		return fmt.Errorf("%w: %s", ErrNamespaceUnknown, name)
	}
	c.NoBalance = held
	return nil
}

func (m *Model) addRangeLocked(c zones.AddRange) error {
	if m.shardsOfLocked(c.Range.Zone) == 0 {
		return fmt.Errorf("%w: %s", ErrZoneNotFound, c.Range.Zone)
	}
	at := m.collectionLocked(c.Collection)
	for _, r := range at.Ranges {
		if sameRange(r, c.Range) {
			return nil
		}
		if overlap(r, c.Range) {
			return fmt.Errorf("%w: %s and %s", ErrRangeOverlap, r, c.Range)
		}
	}
	at.Ranges = append(at.Ranges, c.Range)
	slices.SortFunc(at.Ranges, func(a, b zones.Range) int { return shardkey.CompareKeys(a.Min, b.Min) })
	return nil
}

func (m *Model) shardLocked(c zones.ShardCollection) error {
	at := m.collectionLocked(c.Collection)
	if at.Sharded && !slices.Equal(at.Key, c.Key) {
		return fmt.Errorf("%w: %s is sharded by %s", ErrAlreadySharded, c.Collection, at.Key)
	}
	if at.View || at.TimeSeries {
		return fmt.Errorf("%w: %s", ErrNotACollection, c.Collection)
	}
	for shard, size := range at.Sizes {
		if !at.Sharded && size.Documents > 0 {
			return fmt.Errorf("%w: %s, on %s", ErrDocuments, c.Collection, shard)
		}
	}
	for _, r := range at.Ranges {
		if !isFull(c.Key, r) {
			return fmt.Errorf("%w: %s", ErrPrefixBounds, r)
		}
	}
	at.Exists, at.Sharded, at.Key = true, true, c.Key
	return nil
}
