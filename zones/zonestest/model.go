package zonestest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// The refusals of a server, by their names in its error codes.
const (
	ErrShardNotFound    refusal = "ShardNotFound"
	ErrZoneNotFound     refusal = "ZoneNotFound"
	ErrZoneStillInUse   refusal = "ZoneStillInUse"
	ErrRangeOverlap     refusal = "RangeOverlapConflict"
	ErrAlreadySharded   refusal = "AlreadyInitialized"
	ErrNamespaceUnknown refusal = "NamespaceNotSharded"
	ErrNotACollection   refusal = "CommandNotSupportedOnView"
	// ErrDocuments is a collection that has documents: sharding it would leave them where they are, whatever its zones.
	ErrDocuments refusal = "the collection has documents"
	// ErrPrefixBounds is a range of a sharded collection whose bounds are not full keys (SERVER-103833).
	ErrPrefixBounds refusal = "bounds that are no full keys"
)

// A refusal is an error of a server.
type refusal string

func (r refusal) Error() string { return string(r) }

// A Model is a cluster's catalogue in memory. It is a zones.Reader and an apply.Performer, safe for concurrent use.
type Model struct {
	mu    sync.Mutex
	state zones.State // guarded by mu
}

// New returns a model of a cluster that has that state.
func New(state zones.State) *Model { return &Model{state: clone(state)} }

// clone copies what the model changes in its place. It puts new lists of zones and ranges where the old ones were.
func clone(s zones.State) zones.State {
	s.Shards, s.Collections = slices.Clone(s.Shards), slices.Clone(s.Collections)
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
		at.Ranges = slices.DeleteFunc(slices.Clone(at.Ranges), func(r zones.Range) bool { return SameBounds(r, c.Range) })
		return nil
	case zones.ShardCollection:
		return m.shardLocked(c)
	case zones.SetValidator:
		at := m.collectionLocked(c.Collection)
		if c.Validator != nil && !at.Exists {
			at.Exists, at.Sizes = true, map[topology.ShardID]zones.Size{}
		}
		at.Validator, at.ValidationLevel, at.ValidationAction = bson.Raw(c.Validator), c.Level, c.Action
		return nil
	default:
		return fmt.Errorf("the model has no %T", c)
	}
}

func (m *Model) shardOf(id topology.ShardID) (*zones.Shard, error) {
	i := slices.Index(m.state.ShardIDs(), id)
	if i < 0 {
		return nil, fmt.Errorf("%w: %s", ErrShardNotFound, id)
	}
	return &m.state.Shards[i], nil
}

func (m *Model) addShardLocked(c zones.AddShardToZone) error {
	shard, err := m.shardOf(c.Shard)
	if err != nil {
		return err
	}
	if !slices.Contains(shard.Zones, c.Zone) {
		shard.Zones = append(slices.Clone(shard.Zones), c.Zone)
		slices.Sort(shard.Zones)
	}
	return nil
}

func (m *Model) removeShardLocked(c zones.RemoveShardFromZone) error {
	shard, err := m.shardOf(c.Shard)
	if err != nil || !slices.Contains(shard.Zones, c.Zone) {
		return err
	}
	if len(m.state.ShardsByZone()[c.Zone]) == 1 && m.hasRangesLocked(c.Zone) {
		return fmt.Errorf("%w: %s", ErrZoneStillInUse, c.Zone)
	}
	shard.Zones = slices.DeleteFunc(slices.Clone(shard.Zones), func(z topology.ZoneID) bool { return z == c.Zone })
	return nil
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
	if len(m.state.ShardsByZone()[c.Range.Zone]) == 0 {
		return fmt.Errorf("%w: %s", ErrZoneNotFound, c.Range.Zone)
	}
	at := m.collectionLocked(c.Collection)
	for _, r := range at.Ranges {
		if SameRange(r, c.Range) {
			return nil
		}
		if Overlap(r, c.Range) {
			return fmt.Errorf("%w: %s and %s", ErrRangeOverlap, r, c.Range)
		}
	}
	at.Ranges = append(slices.Clone(at.Ranges), c.Range)
	zones.SortRanges(at.Ranges)
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
		if !IsFull(c.Key, r) {
			return fmt.Errorf("%w: %s", ErrPrefixBounds, r)
		}
	}
	at.Exists, at.Sharded, at.Key = true, true, c.Key
	return nil
}

// SameBounds reports whether two ranges are of the same keys.
func SameBounds(a, b zones.Range) bool {
	return shardkey.CompareKeys(a.Min, b.Min) == 0 && shardkey.CompareKeys(a.Max, b.Max) == 0
}

// SameRange reports whether two ranges are of the same keys and the same zone.
func SameRange(a, b zones.Range) bool { return SameBounds(a, b) && a.Zone == b.Zone }

// Overlap reports whether a key is in both of two ranges.
func Overlap(a, b zones.Range) bool {
	return shardkey.CompareKeys(a.Min, b.Max) < 0 && shardkey.CompareKeys(b.Min, a.Max) < 0
}

// IsFull reports whether both bounds have the fields of a key, all of them and in their order.
func IsFull(key topology.Key, r zones.Range) bool {
	return !slices.ContainsFunc([]bson.Raw{r.Min, r.Max}, func(b bson.Raw) bool {
		elements, err := b.Elements()
		return err != nil || !slices.EqualFunc(elements, key, func(e bson.RawElement, f topology.KeyField) bool { return e.Key() == f.Name })
	})
}
