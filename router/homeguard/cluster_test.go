package homeguard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/explain"
	"github.com/geoshard/geoshard/zones/plan"
)

func TestMain(m *testing.M) {
	code := clustertest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// connect connects to the shared cluster, whose shards s0, s1 and s2 stand for New York, London and Sydney in the declared world.
func connect(t testing.TB, opts *options.ClientOptions) *mongo.Client {
	t.Helper()
	uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(opts.ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// claim takes the databases of the declared world.
func claim(t testing.TB) {
	t.Helper()
	uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"guard_shop", "guard_logs"} {
		clustertest.Claim(t, uri, name)
	}
}

// layOut gives a collection the declared ranges, as the plan has them, and a chunk in each gap that lies on a shard picked at random.
func layOut(t testing.TB, client *mongo.Client, w *topology.Topology, name string) {
	t.Helper()
	ns, _ := w.Namespace(name)
	ranges, err := plan.RangesOf(w, ns, ns.Key)
	if err != nil {
		t.Fatal(err)
	}
	run := func(cmd bson.D) {
		t.Helper()
		if err := client.Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
	}
	for _, z := range w.Zones {
		run(bson.D{{Key: "addShardToZone", Value: z.Shards[0]}, {Key: "zone", Value: z.ID}})
	}
	for _, r := range ranges {
		run(bson.D{{Key: "updateZoneKeyRange", Value: name}, {Key: "min", Value: r.Min}, {Key: "max", Value: r.Max}, {Key: "zone", Value: r.Zone}})
	}
	key := bson.D{}
	for _, f := range ns.Key {
		key = append(key, bson.E{Key: f.Name, Value: 1})
	}
	run(bson.D{{Key: "shardCollection", Value: name}, {Key: "key", Value: key}})
}

// The query router itself is the witness: whatever the filter, it asks no shard that the guard did not name, and where the guard says "home" none but those at home here.
// Where the guard names one zone, which has one shard here, both agree exactly.
func TestTheGuardAgreesWithTheQueryRouter(t *testing.T) {
	w := world(t)
	claim(t)
	client := connect(t, options.Client())
	layOut(t, client, w, "guard_shop.carts")
	layOut(t, client, w, "guard_shop.tenants")
	count := testkit.Count(t, "filters", 150, 2000)
	random := rand.New(rand.NewPCG(testkit.Seed(t), 1))
	verdicts := map[Verdict]int{}
	for range count {
		here := w.Datacenters[random.IntN(3)].ID
		name, query := randomFilter(random)
		e, err := explain.Explain(t.Context(), client, w, name, query, here)
		if err != nil {
			t.Fatalf("%s %v: %v", name, query, err)
		}
		got := guardIn(t, here).Judge(name, document(query))
		verdicts[got.Verdict]++
		for _, s := range e.Shards {
			if !slices.Contains(got.Shards, s.ID) {
				t.Errorf("%s %s in %s: the router asks %s, the guard named %v", name, e.Filter, here, s.ID, got.Shards)
			}
		}
		if !got.Cross && !slices.Equal(e.Datacenters(), dcs(here)) {
			t.Errorf("%s %s in %s: the guard says %s, the router goes to %v", name, e.Filter, here, got.Verdict, e.Datacenters())
		}
		if len(got.Zones) == 1 && len(got.Shards) == 1 && !slices.Equal(e.Datacenters(), got.Datacenters) {
			t.Errorf("%s %s in %s: got %v, the router goes to %v", name, e.Filter, here, got.Datacenters, e.Datacenters())
		}
	}
	t.Logf("verdicts: %v", verdicts)
	for _, v := range []Verdict{VerdictHome, VerdictRemote, VerdictNoKey, VerdictUnplaced} {
		if verdicts[v] == 0 {
			t.Errorf("no filter was judged %s", v)
		}
	}
}

// randomFilter makes a filter of the declared namespaces.
func randomFilter(r *rand.Rand) (namespace string, query bson.D) {
	namespace, field := "guard_shop.carts", "dataCenter"
	value := func() any { return []any{"NYC", "LON", "SYD", "PAR", "NYC\x00", "M", nil, 7}[min(r.IntN(12), 7)] }
	if r.IntN(2) == 0 {
		namespace, field = "guard_shop.tenants", "tenant"
		value = func() any { return []any{r.IntN(250), float64(r.IntN(250)) + 0.5, 777, int64(99), "x", nil}[r.IntN(6)] }
	}
	condition := func() any {
		switch r.IntN(7) {
		case 0:
			return bson.D{{Key: "$in", Value: bson.A{value(), value()}}}
		case 1:
			from, to := value(), value()
			if fmt.Sprint(from) == fmt.Sprint(to) { // matches nothing, which the guard does not see: it takes both ends of a range for a part of it. The router asks any one shard
				to = nil
			}
			return bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}
		case 2:
			return bson.D{{Key: "$gt", Value: value()}}
		case 3:
			return bson.D{{Key: "$eq", Value: value()}}
		default:
			return value()
		}
	}
	query = bson.D{}
	if r.IntN(5) > 0 {
		query = append(query, bson.E{Key: field, Value: condition()})
	}
	if r.IntN(2) == 0 {
		query = append(query, bson.E{Key: "cartId", Value: r.IntN(9)})
	}
	if r.IntN(3) == 0 {
		query = bson.D{{Key: "$and", Value: bson.A{query, bson.D{{Key: "note", Value: 1}}}}}
	}
	if r.IntN(6) == 0 {
		query = bson.D{{Key: "$or", Value: bson.A{query, bson.D{{Key: "note", Value: 1}}}}}
	}
	return namespace, query
}

// One program with everything that the driver can send: what the guard counts is what was done, and what it refuses is never sent.
func TestTheGuardCountsAndRefusesOnARealCluster(t *testing.T) {
	w := world(t)
	var sent atomic.Int64
	opts := options.Client()
	g, err := New(Options{World: w, Here: "NYC", Mode: ModeRefuse, Client: opts})
	if err != nil {
		t.Fatal(err)
	}
	opts.SetMonitor(g.Monitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if commandsByName[e.CommandName] != unknownCommand {
			sent.Add(1)
		}
	}}))
	claim(t)
	client := connect(t, opts)
	ctx := t.Context()
	carts := g.Collection(client.Database("guard_logs").Collection("visits")) // by the pattern guard_logs.*
	at := func(dc string) bson.D { return bson.D{{Key: "dataCenter", Value: dc}, {Key: "at", Value: 1}} }
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: 1}}}}

	// What stays at home is done.
	var docs []any
	for i := range 250 {
		docs = append(docs, bson.D{{Key: "dataCenter", Value: "NYC"}, {Key: "at", Value: i}})
	}
	if _, err := carts.InsertMany(ctx, docs); err != nil {
		t.Fatal(err)
	}
	cursor, err := carts.Find(ctx, bson.D{{Key: "dataCenter", Value: "NYC"}}, options.Find().SetBatchSize(100))
	if err != nil {
		t.Fatal(err)
	}
	var all []bson.Raw
	if err := cursor.All(ctx, &all); err != nil || len(all) != 250 {
		t.Fatalf("got %d documents, %v, want 250", len(all), err)
	}
	if _, err := carts.UpdateOne(ctx, at("NYC"), set); err != nil {
		t.Error(err)
	}
	if n, err := carts.CountDocuments(ctx, bson.D{{Key: "dataCenter", Value: "NYC"}}); err != nil || n != 250 {
		t.Errorf("got %d, %v, want 250", n, err)
	}
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(ctx)
	if _, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) { return carts.UpdateOne(ctx, at("NYC"), set) }); err != nil {
		t.Error(err)
	}
	// Deliberately elsewhere.
	if err := carts.FindOne(Allow(ctx, "report"), at("LON")).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("got %v, want no documents", err)
	}
	// A read that a member here may answer, in a collection whose preference is nearest. In a transaction it is the primary that answers.
	near := g.Collection(client.Database("guard_logs").Collection("visits"), options.Collection().SetReadPreference(readpref.Nearest()))
	if err := near.FindOne(ctx, at("LON")).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("got %v, want no documents", err)
	}
	r := g.Report()
	t.Logf("\n%s", r.Text())
	find := shapeNamed(t, r, "find guard_logs.visits {dataCenter}")
	if find.Home != 3 || r.Cross != 1 || r.Allowed != 1 || shapeNamed(t, r, "insert guard_logs.visits").Home != 250 || shapeNamed(t, r, "commitTransaction").Home != 1 {
		t.Errorf("got %d batches at home, %d cross, %d allowed, want 3, 1, 1", find.Home, r.Cross, r.Allowed)
	}

	// What leaves is refused, and nothing is sent.
	before := sent.Load()
	abroad, open := at("LON"), bson.D{{Key: "x", Value: 1}}
	for name, do := range map[string]func() error{
		"Find":    func() error { _, err := carts.Find(ctx, open); return err },
		"FindOne": func() error { return carts.FindOne(ctx, abroad).Err() },
		"FindOne in a transaction": func() error {
			_, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) { return nil, near.FindOne(ctx, abroad).Err() })
			return err
		},
		"Aggregate": func() error {
			_, err := carts.Aggregate(ctx, mongo.Pipeline{{{Key: "$match", Value: open}}})
			return err
		},
		"Aggregate without $match": func() error { _, err := carts.Aggregate(ctx, bson.A{}); return err },
		"CountDocuments":           func() error { _, err := carts.CountDocuments(ctx, open); return err },
		"EstimatedDocumentCount":   func() error { _, err := carts.EstimatedDocumentCount(ctx); return err },
		"Distinct":                 func() error { _, err := carts.Distinct(ctx, "x", open); return err },
		"FindOneAndUpdate":         func() error { return carts.FindOneAndUpdate(ctx, abroad, set).Err() },
		"FindOneAndReplace":        func() error { return carts.FindOneAndReplace(ctx, abroad, at("LON")).Err() },
		"FindOneAndDelete":         func() error { return carts.FindOneAndDelete(ctx, abroad).Err() },
		"InsertOne":                func() error { _, err := carts.InsertOne(ctx, abroad); return err },
		"InsertOne of a struct": func() error {
			_, err := carts.InsertOne(ctx, struct {
				DC string `bson:"dataCenter"`
			}{"SYD"})
			return err
		},
		"InsertMany": func() error { _, err := carts.InsertMany(ctx, []bson.D{at("NYC"), abroad}); return err },
		"UpdateOne":  func() error { _, err := carts.UpdateOne(ctx, open, set); return err },
		"UpdateByID": func() error { _, err := carts.UpdateByID(ctx, 1, set); return err },
		"UpdateMany": func() error { _, err := carts.UpdateMany(ctx, abroad, set); return err },
		"ReplaceOne": func() error { _, err := carts.ReplaceOne(ctx, abroad, at("LON")); return err },
		"DeleteOne":  func() error { _, err := carts.DeleteOne(ctx, abroad); return err },
		"DeleteMany": func() error { _, err := carts.DeleteMany(ctx, open); return err },
		"BulkWrite": func() error {
			_, err := carts.BulkWrite(ctx, []mongo.WriteModel{mongo.NewInsertOneModel().SetDocument(at("NYC")), mongo.NewDeleteOneModel().SetFilter(abroad)})
			return err
		},
	} {
		err := do()
		var refused *Error
		if !errors.Is(err, ErrLeavesHome) || !errors.As(err, &refused) || refused.Hint() == "" || refused.Here != "NYC" {
			t.Errorf("%s: got %v, want a refusal with a hint", name, err)
		}
	}
	if got := sent.Load(); got != before {
		t.Errorf("%d commands were sent for what was refused", got-before)
	}
	if got := g.Report().Refused; got != 21 {
		t.Errorf("got %d refusals, want 21", got)
	}
}

// Whoever adds a method to the driver's collection adds work for the guard.
func TestEveryMethodOfTheDriversCollectionIsDecidedOn(t *testing.T) {
	unguarded := strings.Fields("Clone Database Drop Indexes Name SearchIndexes Watch")
	theirs, ours := reflect.TypeFor[*mongo.Collection](), reflect.TypeFor[*Collection]()
	for i := range theirs.NumMethod() {
		name := theirs.Method(i).Name
		_, guarded := ours.MethodByName(name)
		if guarded == slices.Contains(unguarded, name) {
			t.Errorf("method %s of the driver's collection: guard it, or name it as one that is not", name)
		}
	}
	t.Logf("%d methods", theirs.NumMethod())
}

// BenchmarkFindOne is a point read of a real cluster without a guard, with its monitor, and with its collection as well.
func BenchmarkFindOne(b *testing.B) {
	query := bson.D{{Key: "dataCenter", Value: "NYC"}, {Key: "at", Value: 1}}
	claim(b)
	plain := connect(b, options.Client()).Database("guard_logs").Collection("bench")
	opts := options.Client()
	g, err := New(Options{World: world(b), Here: "NYC", Mode: ModeRefuse, Client: opts})
	if err != nil {
		b.Fatal(err)
	}
	watched := connect(b, opts.SetMonitor(g.Monitor(nil))).Database("guard_logs").Collection("bench")
	wrapped := g.Collection(watched)
	for name, find := range map[string]func(context.Context, any, ...options.Lister[options.FindOneOptions]) *mongo.SingleResult{
		"plain": plain.FindOne, "monitor": watched.FindOne, "monitor and collection": wrapped.FindOne,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := find(context.Background(), query).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
					b.Fatal(err)
				}
			}
		})
	}
}
