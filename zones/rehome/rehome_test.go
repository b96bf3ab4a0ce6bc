package rehome_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/rehome"
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// A shop is a database with carts and the orders that belong to them, both sharded, at home in zone Z0.
type shop struct {
	t      *testing.T
	client *mongo.Client
	world  *topology.Topology
	db     string
}

func newShop(t *testing.T, db string, carts int) shop {
	t.Helper()
	c := clustertest.Alone(t)
	uri, err := c.URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	s := shop{t: t, client: connect(t, uri), world: worldOf(t, db), db: db}
	for _, ns := range s.world.Namespaces {
		s.shard(ns)
	}
	var docs, orders []any
	for i := range carts {
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: fmt.Sprintf("c%d", i)}, {Key: "n", Value: 0}, {Key: "user", Value: i % 2}})
		for j := range i % 3 {
			orders = append(orders, bson.D{{Key: "dc", Value: "Z0"}, {Key: "orderId", Value: 10*i + j}, {Key: "cartId", Value: fmt.Sprintf("c%d", i)}})
		}
	}
	s.insert("carts", docs)
	s.insert("orders", orders)
	return s
}

func worldOf(t *testing.T, db string) *topology.Topology {
	t.Helper()
	w, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	w.Namespaces = []topology.Namespace{
		{Name: db + ".carts", Key: topology.Key{{Name: "dc"}, {Name: "cartId"}}, ZoneBy: "dc", Unknown: topology.UnknownReport, Related: []topology.Related{{Namespace: db + ".orders", By: "cartId"}}},
		{Name: db + ".orders", Key: topology.Key{{Name: "dc"}, {Name: "orderId"}}, ZoneBy: "dc", Unknown: topology.UnknownReport},
	}
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	return w
}

func connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// shard gives each zone a tight range and shards the collection.
func (s shop) shard(ns topology.Namespace) {
	s.t.Helper()
	run := func(cmd bson.D) {
		s.t.Helper()
		if err := s.client.Database("admin").RunCommand(s.t.Context(), cmd).Err(); err != nil {
			s.t.Fatalf("%v: %v", cmd, err)
		}
	}
	second := ns.Key[1].Name
	for i := range 3 {
		zone := fmt.Sprintf("Z%d", i)
		run(bson.D{{Key: "addShardToZone", Value: fmt.Sprintf("s%d", i)}, {Key: "zone", Value: zone}})
		run(bson.D{{Key: "updateZoneKeyRange", Value: ns.Name}, {Key: "min", Value: bson.D{{Key: "dc", Value: zone}, {Key: second, Value: bson.MinKey{}}}},
			{Key: "max", Value: bson.D{{Key: "dc", Value: zone + "\x00"}, {Key: second, Value: bson.MinKey{}}}}, {Key: "zone", Value: zone}})
	}
	run(bson.D{{Key: "shardCollection", Value: ns.Name}, {Key: "key", Value: bson.D{{Key: "dc", Value: 1}, {Key: second, Value: 1}}}})
}

func (s shop) coll(name string) *mongo.Collection { return s.client.Database(s.db).Collection(name) }

func (s shop) insert(coll string, docs []any) {
	s.t.Helper()
	if len(docs) == 0 {
		return
	}
	if _, err := s.coll(coll).InsertMany(s.t.Context(), docs); err != nil {
		s.t.Fatal(err)
	}
}

func (s shop) count(coll string, filter bson.D) int64 {
	s.t.Helper()
	n, err := s.coll(coll).CountDocuments(s.t.Context(), filter)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// onShards counts the documents that each shard's server really holds.
func (s shop) onShards(coll string) [3]int64 {
	s.t.Helper()
	var counts [3]int64
	for i := range counts {
		uri, err := clustertest.Alone(s.t).MemberURI(fmt.Sprintf("s%d/HERE", i))
		if err != nil {
			s.t.Fatal(err)
		}
		n, err := connect(s.t, uri).Database(s.db).Collection(coll).CountDocuments(s.t.Context(), bson.D{})
		if err != nil {
			s.t.Fatal(err)
		}
		counts[i] = n
	}
	return counts
}

func (s shop) options(filter any, to string) rehome.Options {
	return rehome.Options{Namespace: s.db + ".carts", Filter: filter, To: topology.StringOf(to), Batch: 7}
}

func at(zone string) bson.D { return bson.D{{Key: "dc", Value: zone}} }

func TestDocumentsAndWhatBelongsToThemChangeHome(t *testing.T) {
	s := newShop(t, "moves", 60)
	orders := s.count("orders", bson.D{})
	filter := bson.D{{Key: "user", Value: 1}}
	dry := s.options(filter, "Z1")
	dry.DryRun = true
	got, err := rehome.Rehome(t.Context(), s.client, s.world, dry)
	if err != nil || got.Namespaces[0].Before != 30 || s.count("carts", at("Z0")) != 60 {
		t.Fatalf("dry run: got %+v, %v and %d carts at home, want 30 to move and 60 not moved", got, err, s.count("carts", at("Z0")))
	}
	wouldMove := got.Namespaces[1].Before

	var events []rehome.Event
	o := s.options(filter, "Z1")
	o.Progress = func(e rehome.Event) { events = append(events, e) }
	got, err = rehome.Rehome(t.Context(), s.client, s.world, o)
	if err != nil {
		t.Fatal(err)
	}
	want := rehome.Moved{Namespace: "moves.carts", Before: 30, After: 30}
	if got.Namespaces[0] != want || got.Namespaces[1].Before != wouldMove || got.Namespaces[1].After != wouldMove || wouldMove == 0 {
		t.Errorf("got %+v, want %+v and %d orders", got, want, wouldMove)
	}
	if shards := s.onShards("carts"); shards != [3]int64{30, 30, 0} {
		t.Errorf("carts on shards: got %v", shards)
	}
	if shards := s.onShards("orders"); shards != [3]int64{orders - wouldMove, wouldMove, 0} {
		t.Errorf("orders on shards: got %v, want %d moved", shards, wouldMove)
	}
	if last := events[len(events)-1]; len(events) != 5 || last.Moved != 30 || last.Total != 30 || last.Related != wouldMove {
		t.Errorf("got %d events, the last %+v", len(events), last)
	}

	// A new order of a cart that has moved is taken along by the next run; the rest is skipped.
	s.insert("orders", []any{bson.D{{Key: "dc", Value: "Z0"}, {Key: "orderId", Value: 9999}, {Key: "cartId", Value: "c1"}}})
	got, err = rehome.Rehome(t.Context(), s.client, s.world, s.options(filter, "Z1"))
	if err != nil || got.Namespaces[0] != (rehome.Moved{Namespace: "moves.carts", Skipped: 30}) || got.Namespaces[1].After != 1 {
		t.Errorf("again: got %+v, %v, want one order moved and 30 carts skipped", got, err)
	}
}

// The filter may be about the home itself, and _ids of several types are one order.
func TestFilterByTheOldHomeAndMixedIDs(t *testing.T) {
	s := newShop(t, "mixed", 10)
	for _, id := range []any{"a", "b", bson.NewObjectID(), time.Now(), true, bson.D{{Key: "x", Value: 1}}, int64(1 << 40), 2.5} {
		s.insert("carts", []any{bson.D{{Key: "_id", Value: id}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: fmt.Sprint(id)}}})
	}
	o := s.options(at("Z0"), "Z2")
	o.Batch = 3
	got, err := rehome.Rehome(t.Context(), s.client, s.world, o)
	if err != nil || got.Namespaces[0].After != 18 || s.onShards("carts") != [3]int64{0, 0, 18} {
		t.Errorf("got %+v, %v and %v, want 18 on s2", got, err, s.onShards("carts"))
	}
}

// Writers count up in the documents while these go back and forth; every acknowledged increment must be there in the end.
func TestNoUpdateIsLostWhileDocumentsMove(t *testing.T) {
	const carts, writers = 20, 4
	rounds := testkit.Count(t, "rounds", 2, 20)
	s := newShop(t, "updates", carts)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	acknowledged := make([][carts]int64, writers)
	misses := make([]int, writers)
	for w := range writers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for ctx.Err() == nil {
				id := random.IntN(carts)
				if s.increment(id) {
					acknowledged[w][id]++
				} else {
					misses[w]++
				}
			}
		})
	}
	moved := int64(0)
	for i := range rounds {
		o := s.options(nil, fmt.Sprintf("Z%d", 1+i%2))
		got, err := rehome.Rehome(t.Context(), s.client, s.world, o)
		if err != nil {
			t.Fatal(err)
		}
		moved += got.Namespaces[0].After
	}
	stop()
	all.Wait()
	increments := int64(0)
	for id := range carts {
		want := int64(0)
		for w := range writers {
			want += acknowledged[w][id]
		}
		var got struct{ N int64 }
		if err := s.coll("carts").FindOne(t.Context(), bson.D{{Key: "_id", Value: id}}).Decode(&got); err != nil || got.N != want {
			t.Errorf("cart %d: got %d, %v, want %d", id, got.N, err, want)
		}
		increments += want
	}
	if shards := s.onShards("carts"); shards[0]+shards[1]+shards[2] != carts {
		t.Errorf("got %v on shards, want %d in all", shards, carts)
	}
	if moved != int64(carts*rounds) || increments == 0 {
		t.Errorf("got %d moves and %d increments, want %d and some", moved, increments, carts*rounds)
	}
	t.Logf("%d moves, %d increments, %d found the document just gone", moved, increments, misses)
}

// increment adds 1 to a document by its whole key, and says whether it was acknowledged. It looks the key up first, because the document may have moved.
func (s shop) increment(id int) bool {
	ctx := context.Background()
	var key struct {
		DC     string `bson:"dc"`
		CartID string `bson:"cartId"`
	}
	if err := s.coll("carts").FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&key); err != nil {
		return false
	}
	filter := bson.D{{Key: "_id", Value: id}, {Key: "dc", Value: key.DC}, {Key: "cartId", Value: key.CartID}}
	result, err := s.coll("carts").UpdateOne(ctx, filter, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}})
	if err != nil {
		s.t.Errorf("increment %d: %v", id, err) // an outcome that nobody knows would spoil the sums
		return false
	}
	return result.ModifiedCount == 1
}

func TestARunThatWasCancelledIsFinishedByTheNext(t *testing.T) {
	s := newShop(t, "cancelled", 40)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := s.options(nil, "Z1")
	o.Progress = func(rehome.Event) { cancel() }
	got, err := rehome.Rehome(ctx, s.client, s.world, o)
	if !errors.Is(err, context.Canceled) || got.Namespaces[0].After == 0 || got.Namespaces[0].After == 40 {
		t.Fatalf("got %+v, %v, want a part and context.Canceled", got, err)
	}
	s.finish(got.Namespaces[0].After)
}

// finish runs again and checks that everything is at Z1 once.
func (s shop) finish(before int64) {
	s.t.Helper()
	got, err := rehome.Rehome(s.t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if err != nil {
		s.t.Fatal(err)
	}
	total := s.count("carts", bson.D{})
	if c := got.Namespaces[0]; total != 40 || c.After+c.Skipped != total || c.Skipped < before || s.onShards("carts") != [3]int64{0, 40, 0} {
		s.t.Errorf("got %+v, %d in all, on shards %v, want 40 on s1, %d of them before", got, total, s.onShards("carts"), before)
	}
	if orders := s.count("orders", bson.D{}); orders != 39 || s.onShards("orders") != [3]int64{0, 39, 0} {
		s.t.Errorf("got %d orders, on shards %v, want 39 on s1", orders, s.onShards("orders"))
	}
}

const childURI = "GEOSHARD_REHOME_TEST_URI"

// The process is killed at the first sign of progress, which may be in the middle of the transaction of the next batch.
func TestARunThatWasKilledIsFinishedByTheNext(t *testing.T) {
	if uri := os.Getenv(childURI); uri != "" {
		o := rehome.Options{Namespace: "killed.carts", To: topology.StringOf("Z1"), Batch: 3, Progress: func(e rehome.Event) { fmt.Println("moved", e.Moved) }}
		if _, err := rehome.Rehome(t.Context(), connect(t, uri), worldOf(t, "killed"), o); err != nil {
			t.Fatal(err)
		}
		return
	}
	s := newShop(t, "killed", 40)
	uri, err := clustertest.Alone(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestARunThatWasKilledIsFinishedByTheNext$")
	child.Env = append(os.Environ(), childURI+"="+uri)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines, moved := bufio.NewScanner(out), int64(0)
	for moved < 6 && lines.Scan() {
		if after, ok := strings.CutPrefix(lines.Text(), "moved "); ok {
			if _, err := fmt.Sscan(after, &moved); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || moved == 0 {
		t.Fatalf("the child moved %d and ended by itself (%v), it was to be killed", moved, err)
	}
	t.Logf("killed after %d of 40", moved)
	s.finish(moved)
}

func TestRefusals(t *testing.T) {
	s := newShop(t, "refused", 3)
	byID := worldOf(t, "refused")
	byID.Namespaces[0].ZoneBy, byID.Namespaces[0].Key = "_id", topology.Key{{Name: "_id"}}
	if err := s.client.Database("refused").CreateView(t.Context(), "view", "carts", mongo.Pipeline{}); err != nil {
		t.Fatal(err)
	}
	views := worldOf(t, "refused")
	views.Namespaces[0].Name, views.Namespaces[0].Related = "refused.view", nil
	change := func(edit func(*rehome.Options)) rehome.Options {
		o := s.options(nil, "Z1")
		edit(&o)
		return o
	}
	for name, c := range map[string]struct {
		world *topology.Topology
		o     rehome.Options
		want  error
	}{
		"undeclared namespace":   {s.world, change(func(o *rehome.Options) { o.Namespace = "refused.none" }), topology.ErrUndeclared},
		"a value without a zone": {s.world, change(func(o *rehome.Options) { o.To = topology.StringOf("Z9") }), topology.ErrUndeclared},
		"no value":               {s.world, change(func(o *rehome.Options) { o.To = topology.Value{} }), topology.ErrUndeclared},
		"zone by _id":            {byID, s.options(nil, "Z1"), rehome.ErrNotMovable},
		"a view":                 {views, change(func(o *rehome.Options) { o.Namespace = "refused.view" }), rehome.ErrNotMovable},
		"a view, dry":            {views, change(func(o *rehome.Options) { o.Namespace, o.DryRun = "refused.view", true }), rehome.ErrNotMovable},
		"no filter":              {s.world, change(func(o *rehome.Options) { o.Filter = 7 }), nil},
	} {
		_, err := rehome.Rehome(t.Context(), s.client, c.world, c.o)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || hint.Of(err) == "" {
			t.Errorf("%s: got %v, want %v with a hint", name, err, c.want)
		}
		t.Logf("%s: %v", name, err)
	}
	// _id is unique on each shard alone: the new home may have another document of that _id.
	s.insert("carts", []any{bson.D{{Key: "_id", Value: 1}, {Key: "dc", Value: "Z1"}, {Key: "cartId", Value: "other"}}})
	_, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if !errors.Is(err, rehome.ErrIncomplete) || !strings.Contains(hint.Of(err), "one of the two") || s.count("carts", at("Z0")) != 1 {
		t.Errorf("the same _id twice: got %v and %d carts at home, want a hint and 1", err, s.count("carts", at("Z0")))
	}
	t.Logf("%v", err)
}
