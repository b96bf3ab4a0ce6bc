package shardkey

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// ErrInconsistentChunks says that chunks leave a gap or overlap: they were read while a migration committed. Read the collection and its chunks
// again.
var ErrInconsistentChunks = errors.New("chunks do not cover the shard key's range exactly once")

// Chunk is a range of shard keys (Min included, Max excluded) that one shard owns.
type Chunk struct {
	Min     bson.Raw         `bson:"min"`
	Max     bson.Raw         `bson:"max"`
	Shard   topology.ShardID `bson:"shard"`
	LastMod bson.Timestamp   `bson:"lastmod"` // version of the chunk: T is the major, I the minor part
}

// Table is the routing table of one sharded collection at one moment. It is immutable.
type Table struct {
	collection collectionEntry
	pattern    Pattern
	chunks     []Chunk // sorted by Max, without gaps
	shards     []topology.ShardID
	placement  map[topology.ShardID]bson.Timestamp // highest lastmod per shard
	lastMove   bson.Timestamp
}

// collectionEntry is a document of config.collections.
type collectionEntry struct {
	Namespace        string         `bson:"_id"`
	Epoch            bson.ObjectID  `bson:"lastmodEpoch"`
	Timestamp        bson.Timestamp `bson:"timestamp"`
	Key              bson.Raw       `bson:"key"`
	DefaultCollation bson.Raw       `bson:"defaultCollation"`
}

// chunkEntry is a document of config.chunks.
type chunkEntry struct {
	Chunk `bson:",inline"`
	// History begins with the present owner.
	History []struct {
		ValidAfter bson.Timestamp `bson:"validAfter"`
	} `bson:"history"`
}

// NewTable builds the table of a collection from its document of config.collections and all its documents of config.chunks,
// in any order. The bytes are copied. The error is ErrInconsistentChunks, or says which document cannot be read.
func NewTable(collection bson.Raw, chunks []bson.Raw) (*Table, error) {
	t := &Table{placement: map[topology.ShardID]bson.Timestamp{}}
	if err := bson.Unmarshal(collection, &t.collection); err != nil {
		return nil, fmt.Errorf("read config.collections entry: %w", err)
	}
	if err := t.fill(chunks); err != nil {
		return nil, fmt.Errorf("collection %s: %w", t.collection.Namespace, err)
	}
	return t, nil
}

func (t *Table) fill(chunks []bson.Raw) (err error) {
	if t.pattern, err = ParsePattern(t.collection.Key); err != nil {
		return err
	}
	for _, raw := range chunks {
		if err := t.addChunk(raw); err != nil {
			return err
		}
	}
	slices.SortFunc(t.chunks, func(a, b Chunk) int { return CompareKeys(a.Max, b.Max) })
	t.shards = slices.Sorted(maps.Keys(t.placement))
	if !t.complete() {
		return ErrInconsistentChunks
	}
	return nil
}

func (t *Table) addChunk(raw bson.Raw) error {
	var entry chunkEntry
	if err := bson.Unmarshal(raw, &entry); err != nil {
		return fmt.Errorf("read config.chunks entry: %w", err)
	}
	t.chunks = append(t.chunks, entry.Chunk)
	if len(entry.History) > 0 {
		t.lastMove = later(t.lastMove, entry.History[0].ValidAfter)
	}
	t.placement[entry.Shard] = later(t.placement[entry.Shard], entry.LastMod)
	return nil
}

func later(a, b bson.Timestamp) bson.Timestamp {
	if b.After(a) {
		return b
	}
	return a
}

// complete reports whether the sorted chunks lead from MinKey to MaxKey without gap or overlap.
func (t *Table) complete() bool {
	all := t.pattern.rangeNumber(0, nil)
	end := all.Lowest
	for _, c := range t.chunks {
		if CompareKeys(c.Min, end) != 0 {
			return false
		}
		end = c.Max
	}
	return len(t.chunks) > 0 && CompareKeys(end, all.Highest) == 0
}

// Namespace is the collection's full name.
func (t *Table) Namespace() string { return t.collection.Namespace }

// Pattern is the collection's shard key pattern.
func (t *Table) Pattern() Pattern { return t.pattern }

// DefaultCollation is the collection's default collation; nil if it is the simple one.
func (t *Table) DefaultCollation() bson.Raw {
	if simpleCollation(t.collection.DefaultCollation) {
		return nil
	}
	return t.collection.DefaultCollation
}

// Chunks lists the chunks in the order of their keys; the caller must not change them.
func (t *Table) Chunks() []Chunk { return t.chunks }

// Shards lists the shards that own at least one chunk, sorted by name; the caller must not change the list.
func (t *Table) Shards() []topology.ShardID { return t.shards }

// LastMove is the time of the last change of any chunk's owner (the sharding of the collection counts as one): the table does not hold for
// reads at an earlier time.
func (t *Table) LastMove() bson.Timestamp { return t.lastMove }

// Version is what a command for the shard carries as shardVersion. A shard without chunks has Placement (0,0).
func (t *Table) Version(shard topology.ShardID) Version {
	return Version{Epoch: t.collection.Epoch, Timestamp: t.collection.Timestamp, Placement: t.placement[shard]}
}

// ShardFor is the shard that owns key, a full shard key as Pattern.KeyOf returns it. It does not allocate. It is "" for the one key that no chunk
// contains, MaxKey in every field: the server refuses such documents too (code 61, ShardKeyNotFound), as no query would find them again.
func (t *Table) ShardFor(key bson.Raw) topology.ShardID {
	i := t.chunkIndex(key)
	if i == len(t.chunks) {
		return ""
	}
	return t.chunks[i].Shard
}

// chunkIndex is the index of the chunk that contains key, len(t.chunks) if none does.
func (t *Table) chunkIndex(key bson.Raw) int {
	return sort.Search(len(t.chunks), func(i int) bool { return CompareKeys(key, t.chunks[i].Max) < 0 })
}

// ShardsFor lists the shards that own keys from lowest to highest, both included, sorted by name. It is empty only if lowest is above highest.
func (t *Table) ShardsFor(lowest, highest bson.Raw) []topology.ShardID {
	if CompareKeys(lowest, highest) > 0 {
		return nil
	}
	var found []topology.ShardID
	last := len(t.chunks) - 1
	for _, c := range t.chunks[min(t.chunkIndex(lowest), last) : min(t.chunkIndex(highest), last)+1] {
		if !slices.Contains(found, c.Shard) {
			found = append(found, c.Shard)
			if len(found) == len(t.shards) {
				break
			}
		}
	}
	slices.Sort(found)
	return found
}
