package catalog

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// catalogueChunks is how many chunks the largest catalogue of the issue has.
const catalogueChunks = 100_000

// generated makes documents like those of config.chunks, which cover the key {dc, id} from end to end.
func generated(n int) []any {
	uuid := bson.Binary{Subtype: bson.TypeBinaryUUID, Data: make([]byte, 16)}
	bound := func(i int) bson.D {
		switch i {
		case 0:
			return bson.D{{Key: "dc", Value: bson.MinKey{}}, {Key: "id", Value: bson.MinKey{}}}
		case n:
			return bson.D{{Key: "dc", Value: bson.MaxKey{}}, {Key: "id", Value: bson.MaxKey{}}}
		default:
			return bson.D{{Key: "dc", Value: fmt.Sprintf("DC%03d", i/1000)}, {Key: "id", Value: fmt.Sprintf("01J%020d", i)}}
		}
	}
	docs := make([]any, n)
	for i := range docs {
		docs[i] = bson.D{
			{Key: "_id", Value: bson.NewObjectID()}, {Key: "uuid", Value: uuid}, {Key: "min", Value: bound(i)}, {Key: "max", Value: bound(i + 1)},
			{Key: "shard", Value: fmt.Sprintf("shard%02d", i%12)}, {Key: "lastmod", Value: bson.Timestamp{T: uint32(i + 1)}},
			{Key: "history", Value: bson.A{bson.D{{Key: "validAfter", Value: bson.Timestamp{T: 1}}, {Key: "shard", Value: "shard00"}}}},
			{Key: "jumbo", Value: i%1000 == 0},
		}
	}
	return docs
}

// generate fills a collection as large as n chunks make config.chunks.
func generate(t *testing.T, into *mongo.Collection, n int) {
	t.Helper()
	if _, err := into.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "uuid", Value: 1}, {Key: "min", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(generated(n), 10_000) {
		if _, err := into.InsertMany(t.Context(), batch, options.InsertMany().SetOrdered(false)); err != nil {
			t.Fatal(err)
		}
	}
}

// A large catalogue is read through the function that reads config.chunks, from a collection of the same shape on a real server.
func TestChunksOfALargeCatalogue(t *testing.T) {
	n := testkit.Count(t, "chunks", catalogueChunks/10, catalogueChunks)
	c := clustertest.Alone(t)
	uri, err := c.MemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(t.Context()) })
	from := client.Database("catchunks").Collection("chunks")
	generate(t, from, n)
	uuid := bson.Binary{Subtype: bson.TypeBinaryUUID, Data: make([]byte, 16)}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	chunks, err := new(Catalog).chunksOnce(t.Context(), bson.D{{Key: "uuid", Value: uuid}}, from)
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	with := heap()
	if len(chunks) != n || !contiguous(chunks) || !chunks[0].Jumbo || chunks[1].Jumbo || chunks[13].Shard != "shard01" {
		t.Errorf("got %d chunks, contiguous %v, first %+v", len(chunks), contiguous(chunks), chunks[0])
	}
	runtime.KeepAlive(chunks)
	chunks = nil
	without := heap()
	held := int64(with.HeapAlloc) - int64(without.HeapAlloc)
	if held > int64(n)*400 {
		t.Errorf("%d chunks hold %d bytes, want 400 each at most", n, held)
	}
	t.Logf("%d chunks in %s: they hold %.1f MB, %d MB were allocated on the way", n, took.Round(time.Millisecond), float64(held)/(1<<20), (with.TotalAlloc-before.TotalAlloc)>>20)
}

// heap is what lives on the heap; what the driver keeps for later goes with the second collection.
func heap() runtime.MemStats {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats
}

// What was read while chunks were split or moved is not taken for a table.
func TestContiguousFindsGapsAndOverlaps(t *testing.T) {
	bound := func(v any) bson.Raw {
		raw, err := bson.Marshal(bson.D{{Key: "k", Value: v}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	table := func(bounds ...any) []zones.Chunk {
		var chunks []zones.Chunk
		for i := 0; i+1 < len(bounds); i += 2 {
			chunks = append(chunks, zones.Chunk{Min: bound(bounds[i]), Max: bound(bounds[i+1]), Shard: "s0"})
		}
		return chunks
	}
	low, high := bson.MinKey{}, bson.MaxKey{}
	for name, test := range map[string]struct {
		chunks []zones.Chunk
		want   bool
	}{
		"one":                   {table(low, high), true},
		"three":                 {table(low, 1, 1, 2.5, 2.5, high), true},
		"numbers of two types":  {table(low, int32(1), int64(1), high), true},
		"none":                  {nil, false},
		"gap":                   {table(low, 1, 2, high), false},
		"overlap":               {table(low, 2, 1, high), false},
		"begins above the end":  {table(1, high), false},
		"ends before the end":   {table(low, 1), false},
		"the same chunk, twice": {table(low, 1, low, 1, 1, high), false},
	} {
		if got := contiguous(test.chunks); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestChunkReaderRefusesWhatIsNoChunk(t *testing.T) {
	read := chunkReader{shards: map[string]topology.ShardID{}}
	doc, err := bson.Marshal(bson.D{{Key: "min", Value: bson.D{}}, {Key: "shard", Value: "s0"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := read.add(doc); err == nil {
		t.Error("a chunk without max was accepted")
	}
}
