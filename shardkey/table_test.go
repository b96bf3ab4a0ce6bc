package shardkey

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// sharded builds the table of shop.carts with the pattern; every split point starts a chunk, and the chunks go round the shards s0, s1, s2.
func sharded(t testing.TB, pattern bson.D, splits ...bson.D) *Table {
	t.Helper()
	collection, chunks := catalogue(t, pattern, splits...)
	table, err := NewTable(collection, chunks)
	if err != nil {
		t.Fatalf("build table: %v", err)
	}
	return table
}

func catalogue(t testing.TB, pattern bson.D, splits ...bson.D) (collection bson.Raw, chunks []bson.Raw) {
	t.Helper()
	collection = document(t, bson.D{{Key: "_id", Value: "shop.carts"}, {Key: "uuid", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}},
		{Key: "lastmodEpoch", Value: bson.ObjectID{7}}, {Key: "timestamp", Value: bson.Timestamp{T: 5, I: 6}}, {Key: "key", Value: pattern}})
	edge := func(v any) (bound bson.D) {
		for _, e := range pattern {
			bound = append(bound, bson.E{Key: e.Key, Value: v})
		}
		return bound
	}
	bounds := append(append([]bson.D{edge(bson.MinKey{})}, splits...), edge(bson.MaxKey{}))
	for i := range bounds[1:] {
		chunks = append(chunks, document(t, bson.D{{Key: "min", Value: bounds[i]}, {Key: "max", Value: bounds[i+1]},
			{Key: "shard", Value: []string{"s0", "s1", "s2"}[i%3]}, {Key: "lastmod", Value: bson.Timestamp{T: uint32(i + 1), I: 1}}}))
	}
	return collection, chunks
}

var byDatacenter = bson.D{{Key: "dc", Value: int32(1)}, {Key: "id", Value: int32(1)}}

func at(dc, id any) bson.D { return bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: id}} }

// citySplits: s0 has what is below LON, s1 LON, s2 from there to NYC, s0 NYC and above.
var citySplits = []bson.D{at("LON", bson.MinKey{}), at("LON\x00", bson.MinKey{}), at("NYC", bson.MinKey{})}

func TestTableFindsOwner(t *testing.T) {
	table := sharded(t, byDatacenter, citySplits...)
	for _, test := range []struct {
		doc  bson.D
		want topology.ShardID
	}{
		{at("AMS", 1), "s0"},
		{at("LON", bson.MinKey{}), "s1"}, // min is included
		{at("LON", bson.MaxKey{}), "s1"}, // the successor string keeps it inside
		{at("LON\x00", bson.MinKey{}), "s2"},
		{at("NYC", nil), "s0"},
		{bson.D{}, "s0"}, // missing fields are null
		{at(bson.MaxKey{}, 1), "s0"},
		{at(bson.MaxKey{}, bson.MaxKey{}), ""}, // no chunk has it
	} {
		key, err := table.Pattern().KeyOf(document(t, test.doc))
		if err != nil {
			t.Fatalf("KeyOf(%v): %v", test.doc, err)
		}
		if got := table.ShardFor(key); got != test.want {
			t.Errorf("ShardFor(%v) = %q, want %q", test.doc, got, test.want)
		}
	}
}

func TestTableKnowsVersions(t *testing.T) {
	table := sharded(t, byDatacenter, citySplits...)
	if diff := cmp.Diff([]topology.ShardID{"s0", "s1", "s2"}, table.Shards()); diff != "" {
		t.Errorf("shards: %s", diff)
	}
	want := Version{Epoch: bson.ObjectID{7}, Timestamp: bson.Timestamp{T: 5, I: 6}, Placement: bson.Timestamp{T: 4, I: 1}}
	if got := table.Version("s0"); got != want {
		t.Errorf("Version(s0) = %+v, want the highest of its chunks, %+v", got, want)
	}
	if got := table.Version("s9").Placement; !got.IsZero() {
		t.Errorf("Version of a shard without chunks = %+v, want (0,0)", got)
	}
	if got, want := bson.Raw(want.Append(nil)).String(), `{"e": {"$oid":"070000000000000000000000"},"t": {"$timestamp":{"t":5,"i":6}},"v": {"$timestamp":{"t":4,"i":1}}}`; got != want {
		t.Errorf("version as BSON: %s, want %s", got, want)
	}
}

// A migration that commits between two batches of the chunks' read leaves such a picture.
func TestNewTableRefusesGapsAndOverlaps(t *testing.T) {
	collection, chunks := catalogue(t, byDatacenter, citySplits...)
	for name, broken := range map[string][]bson.Raw{
		"none":    nil,
		"gap":     {chunks[0], chunks[2], chunks[3]},
		"twice":   append(slices.Clone(chunks), chunks[1]),
		"no end":  chunks[:3],
		"no base": chunks[1:],
	} {
		if _, err := NewTable(collection, broken); !errors.Is(err, ErrInconsistentChunks) {
			t.Errorf("%s: error %v, want ErrInconsistentChunks", name, err)
		}
	}
	if _, err := NewTable(collection, []bson.Raw{chunks[2], chunks[0], chunks[3], chunks[1]}); err != nil {
		t.Errorf("chunks in another order: %v", err)
	}
}

// The documents come from network buffers that are used again.
func TestNewTableKeepsNoCallersBytes(t *testing.T) {
	collection, chunks := catalogue(t, byDatacenter, citySplits...)
	table, err := NewTable(collection, chunks)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range append(chunks, collection) {
		clear(raw)
	}
	if got := table.ShardFor(document(t, at("LON", 1))); got != "s1" {
		t.Errorf("after the buffers were cleared: ShardFor = %q, want s1", got)
	}
}

func TestShardForDoesNotAllocate(t *testing.T) {
	table := sharded(t, byDatacenter, citySplits...)
	key, doc := document(t, at("LON", bson.ObjectID{1})), document(t, at("LON", "x"))
	if n := testing.AllocsPerRun(100, func() { table.ShardFor(key) }); n != 0 {
		t.Errorf("ShardFor allocates %v times", n)
	}
	buffer := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { _, _ = table.Pattern().AppendKeyOf(buffer, doc) }); n != 0 {
		t.Errorf("AppendKeyOf allocates %v times", n)
	}
}

func BenchmarkTable(b *testing.B) {
	var splits []bson.D
	for i := range 1000 {
		splits = append(splits, at("LON", int64(i*10)))
	}
	table := sharded(b, byDatacenter, splits...)
	doc := document(b, at("LON", int64(5005)))
	buffer := make([]byte, 0, 256)
	b.Run("insert", func(b *testing.B) { // key extraction and look-up, as for each document inserted
		b.ReportAllocs()
		for b.Loop() {
			key, err := table.Pattern().AppendKeyOf(buffer, doc)
			if err != nil || table.ShardFor(key) == "" {
				b.Fatal(err)
			}
		}
	})
	b.Run("point", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if table.Target(doc, nil).Key == nil {
				b.Fatal("no point")
			}
		}
	})
}
