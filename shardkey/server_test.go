package shardkey

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/internal/testkit"
)

// The tests of this file compare the package with a real mongod: what it says is right by definition.

// startServer runs a mongod of its own for the test; test commands are on because the hash is only to be had through one.
func startServer(t *testing.T) *mongo.Client {
	t.Helper()
	tools, err := mongobin.Ensure(t.Context(), mongobin.Options{})
	if err != nil {
		t.Fatalf("find mongod: %v", err)
	}
	dir := t.TempDir()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command(tools.Mongod, "--dbpath", dir, "--bind_ip", "127.0.0.1", "--port", port, "--nounixsocket",
		"--logpath", filepath.Join(dir, "log"), "--wiredTigerCacheSizeGB", "0.25",
		"--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false")
	if err := server.Start(); err != nil {
		t.Fatalf("start mongod: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // no data to keep
		_ = server.Wait()
	})
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + address + "/?directConnection=true").
		SetServerSelectionTimeout(testkit.Patience))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Fatalf("ping mongod: %v", err)
	}
	return client
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// seeded is the test's source of chance.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(testkit.Seed(t), 1))
}

// sampler makes values of all types, close to each other so that the last bit matters.
type sampler struct {
	t *testing.T
	*rand.Rand
	pointers bool // DBPointers too
}

func (s sampler) value(depth int) any {
	switch s.IntN(25) {
	case 0:
		return []any{nil, bson.MinKey{}, bson.MaxKey{}, bson.Undefined{}, true, false}[s.IntN(6)]
	case 1, 2, 3, 4, 5, 6, 7, 8:
		return s.number()
	case 9:
		return bson.Symbol(s.text())
	case 10, 11:
		return s.text()
	case 12, 13:
		if depth > 0 {
			return s.document(depth)
		}
		return bson.D{}
	case 14:
		list := bson.A{}
		for range s.IntN(3) * depth {
			list = append(list, s.value(depth-1))
		}
		return list
	case 15:
		return bson.Binary{Subtype: []byte{0, 2, 4, 5, 128}[s.IntN(5)], Data: []byte(s.text())}
	case 16:
		return bson.ObjectID{byte(s.IntN(3)), 11: byte(s.IntN(3))}
	case 17:
		return bson.DateTime(s.IntN(5) - 2)
	case 18:
		return bson.Timestamp{T: []uint32{1, math.MaxInt32, math.MaxUint32}[s.IntN(3)], I: uint32(s.IntN(3))}
	case 19:
		return bson.Regex{Pattern: s.pattern(), Options: []string{"", "i", "im"}[s.IntN(3)]}
	case 20:
		if s.pointers {
			return bson.DBPointer{DB: s.pattern(), Pointer: bson.ObjectID{byte(s.IntN(2))}}
		}
		return bson.ObjectID{}
	case 21:
		return bson.JavaScript(s.text())
	case 22:
		return bson.CodeWithScope{Code: bson.JavaScript(s.text()), Scope: s.document(depth)}
	default:
		return bson.DateTime(s.Int64())
	}
}

// document has each name once: $cmp passes over a name that comes again ({b: 1, b: 2} is {b: 1} to it), and is no measure for what an index does then.
func (s sampler) document(depth int) bson.D {
	d, names := bson.D{}, s.Perm(3)
	for i := range s.IntN(3) {
		d = append(d, bson.E{Key: string(rune('a' + names[i])), Value: s.value(max(depth-1, 0))})
	}
	return d
}

func (s sampler) text() string {
	runes := []rune{0, 1, 'a', 'A', 'é', '日', 0x10ffff}
	text := ""
	for range s.IntN(3) {
		text += string(runes[s.IntN(len(runes))])
	}
	return text
}

func (s sampler) pattern() string { return []string{"", "a", "A", "ab"}[s.IntN(4)] }

// number is one of a few landmarks or next to it, as one of the four types.
func (s sampler) number() any {
	landmarks := []float64{0, 1, 2.5, 3.5, 0.1, 1.0 / 3, 1 << 31, 1 << 53, 1 << 62, 1 << 63, 1e15 + 0.3, 1e22, 1e34, 1e300, 5e-324, math.MaxFloat64,
		s.Float64(), math.Float64frombits(s.Uint64())}
	d := landmarks[s.IntN(len(landmarks))]
	if s.IntN(2) == 0 {
		d = -d
	}
	switch s.IntN(3) {
	case 0:
		d = math.Nextafter(d, math.Inf(1))
	case 1:
		d = math.Nextafter(d, math.Inf(-1))
	}
	switch s.IntN(5) {
	case 0:
		return []any{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), decimal(s.t, "NaN"), decimal(s.t, "Infinity"), decimal(s.t, "-Infinity"), decimal(s.t, "-0")}[s.IntN(8)]
	case 1:
		return d
	case 2:
		return s.decimalNear(d)
	case 3:
		if math.Abs(d) < 1<<62 {
			return int64(d) + int64(s.IntN(3)-1)
		}
		return []int64{math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1}[s.IntN(4)]
	default:
		return int32(s.IntN(7) - 3)
	}
}

// decimalNear writes d with a random number of digits, and perhaps one unit more or less in the last place.
func (s sampler) decimalNear(d float64) bson.Decimal128 {
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return decimal(s.t, fmt.Sprint(d))
	}
	digits := []int{0, 1, 3, 14, 15, 16, 17, 33, 33, 33}[s.IntN(10)]
	text := new(big.Float).SetFloat64(d).Text('e', digits)
	parsed := decimal(s.t, text)
	coefficient, exponent, err := parsed.BigInt()
	if err != nil {
		s.t.Fatalf("decimal %s: %v", text, err)
	}
	coefficient.Add(coefficient, big.NewInt(int64(s.IntN(3)-1)))
	if moved, ok := bson.ParseDecimal128FromBigInt(coefficient, exponent); ok {
		return moved
	}
	return parsed
}

func TestCompareAgreesWithServer(t *testing.T) {
	client := startServer(t)
	collection := client.Database("routing").Collection("pairs")
	// $cmp looks at the length of a DBPointer's namespace only; the index, which chunks follow, at its bytes: see the next test.
	s := sampler{t: t, Rand: seeded(t)}
	pairs := make([]any, testkit.Count(t, "pairs", 20_000, 200_000))
	raws := make([]bson.Raw, len(pairs))
	unlike := 0
	for i := range pairs {
		a, b := s.value(2), s.value(2)
		for value(t, a).Type != value(t, b).Type && s.IntN(4) > 0 {
			b = s.value(2) // values of different types say little
		}
		raws[i] = document(t, bson.D{{Key: "_id", Value: i}, {Key: "p", Value: bson.D{{Key: "a", Value: a}, {Key: "b", Value: b}}}})
		pairs[i] = raws[i]
	}
	if _, err := collection.InsertMany(t.Context(), pairs); err != nil {
		t.Fatalf("insert pairs: %v", err)
	}
	cursor, err := collection.Aggregate(t.Context(), mongo.Pipeline{{{Key: "$project", Value: bson.D{
		{Key: "order", Value: bson.D{{Key: "$cmp", Value: bson.A{"$p.a", "$p.b"}}}}}}}})
	if err != nil {
		t.Fatalf("compare on the server: %v", err)
	}
	defer cursor.Close(t.Context())
	seen := 0
	for cursor.Next(t.Context()) {
		var row struct {
			ID    int `bson:"_id"`
			Order int `bson:"order"`
		}
		if err := cursor.Decode(&row); err != nil {
			t.Fatalf("decode: %v", err)
		}
		seen++
		a, b := raws[row.ID].Lookup("p", "a"), raws[row.ID].Lookup("p", "b")
		got := Compare(a, b)
		if got != 0 {
			unlike++
		}
		if got != row.Order {
			t.Errorf("Compare(%s, %s) = %d, server: %d", a.DebugString(), b.DebugString(), got, row.Order)
		}
		if back := Compare(b, a); back != -got {
			t.Errorf("Compare(%s, %s) = %d, the other way round %d", a.DebugString(), b.DebugString(), got, back)
		}
	}
	if err := cursor.Err(); err != nil || seen != len(pairs) {
		t.Fatalf("read %d of %d pairs: %v", seen, len(pairs), err)
	}
	t.Logf("%d pairs agree, %d of them unequal", seen, unlike)
}

// Chunks are ranges of index keys on the shards, so the order of an index counts as much as that of $cmp. Sorting both ways
// shows which values the server takes for equal: their ids keep ascending.
func TestCompareAgreesWithIndex(t *testing.T) {
	client := startServer(t)
	collection := client.Database("routing").Collection("values")
	s := sampler{t: t, Rand: seeded(t), pointers: true}
	values := make([]any, testkit.Count(t, "values", 5_000, 30_000))
	raws := make([]bson.Raw, len(values))
	for i := range values {
		raws[i] = document(t, bson.D{{Key: "_id", Value: i}, {Key: "v", Value: bson.D{{Key: "w", Value: s.value(2)}}}})
		values[i] = raws[i]
	}
	if _, err := collection.InsertMany(t.Context(), values); err != nil {
		t.Fatalf("insert values: %v", err)
	}
	for _, direction := range []int{1, -1} {
		index := bson.D{{Key: "v", Value: direction}, {Key: "_id", Value: 1}}
		if _, err := collection.Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: index}); err != nil {
			t.Fatalf("create index %v: %v", index, err)
		}
		cursor, err := collection.Find(t.Context(), bson.D{}, options.Find().SetSort(index).SetHint(index))
		if err != nil {
			t.Fatalf("find: %v", err)
		}
		var sorted []struct {
			ID int `bson:"_id"`
		}
		if err := cursor.All(t.Context(), &sorted); err != nil || len(sorted) != len(values) {
			t.Fatalf("read %d of %d values: %v", len(sorted), len(values), err)
		}
		equal := 0
		for i := 1; i < len(sorted); i++ {
			before, after := raws[sorted[i-1].ID].Lookup("v"), raws[sorted[i].ID].Lookup("v")
			c := Compare(before, after)
			if c == 0 {
				equal++
			}
			if c*direction > 0 || c == 0 && sorted[i-1].ID > sorted[i].ID {
				t.Errorf("index {v: %d} has %s before %s, Compare = %d", direction, before.DebugString(), after.DebugString(), c)
			}
		}
		t.Logf("index {v: %d}: %d values in order, %d equal to their neighbour", direction, len(sorted), equal)
	}
}

func TestHashAgreesWithServer(t *testing.T) {
	client := startServer(t)
	s := sampler{t: t, Rand: seeded(t), pointers: true}
	count := testkit.Count(t, "hashes", 3_000, 30_000)
	for range count {
		v := s.value(2)
		if text, ok := v.(string); ok && strings.ContainsRune(text, 0) {
			v = bson.D{{Key: "", Value: text}} // a command's first value is read as a name if it is a string
		}
		var answer struct {
			Out int64 `bson:"out"`
		}
		command := bson.D{{Key: "_hashBSONElement", Value: v}, {Key: "seed", Value: int32(0)}}
		if err := client.Database("admin").RunCommand(t.Context(), command).Decode(&answer); err != nil {
			t.Fatalf("hash %v: %v", v, err)
		}
		if raw := value(t, v); Hash(raw) != answer.Out {
			t.Errorf("Hash(%s) = %d, server: %d", raw.DebugString(), Hash(raw), answer.Out)
		}
	}
	t.Logf("%d hashes compared", count)
}
