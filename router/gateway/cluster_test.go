package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/topology"
)

// smallWorld is the shared cluster's topology with records that are routed: all zones are at home in its only datacenter.
const smallWorld = `version: 1
datacenters:
  HERE: {name: Here}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
  s1: {members: [{dc: HERE, priority: 1}]}
  s2: {members: [{dc: HERE, priority: 1}]}
zones:
  Z0: {shards: [s0]}
  Z1: {shards: [s1]}
  Z2: {shards: [s2]}
namespaces:
  gateway_moves.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}
router:
  upstreams: {HERE: [%q]}
  routes:
    - {path: "/v1/carts/{handle}", methods: [GET], class: read}
    - {path: "/v1/carts/{handle}/{rest...}", class: write}
`

// A store is an application over a real collection: a write notes its key in the record that the handle names, and finds none under another.
type store struct{ carts *mongo.Collection }

func (s store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		return
	}
	home, cart, ok := router.ParseHandle(strings.Split(r.URL.Path, "/")[3])
	if !ok {
		problem(w, http.StatusBadRequest, "bad-handle")
		return
	}
	filter := bson.D{{Key: "dataCenter", Value: home}, {Key: "cartId", Value: cart}}
	var err error
	if r.Method == http.MethodGet {
		err = s.carts.FindOne(r.Context(), filter).Err()
	} else {
		err = s.carts.FindOneAndUpdate(r.Context(), filter, bson.D{{Key: "$addToSet", Value: bson.D{{Key: "keys", Value: r.Header.Get("Idempotency-Key")}}}}).Err()
	}
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		problem(w, http.StatusNotFound, "not-found")
	case err != nil:
		problem(w, http.StatusServiceUnavailable, "unavailable")
	}
}

// On a real cluster: the gateway knows the primaries; a record changes its home again and again by the API while clients write and read it under the handle that it
// had at first. Nobody sees an error, and no write is lost or doubled.
func TestRecordsChangeHomeUnderLoad(t *testing.T) {
	ctx := t.Context()
	uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetWriteConcern(writeconcern.Majority()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	clustertest.Claim(t, uri, "gateway_moves")
	carts := client.Database("gateway_moves").Collection("carts")
	command := bson.D{{Key: "shardCollection", Value: "gateway_moves.carts"}, {Key: "key", Value: bson.D{{Key: "dataCenter", Value: 1}, {Key: "cartId", Value: 1}}}}
	for _, c := range []bson.D{{{Key: "enableSharding", Value: "gateway_moves"}}, command} {
		if err := client.Database("admin").RunCommand(ctx, c).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := carts.InsertOne(ctx, bson.D{{Key: "_id", Value: "Z0." + id}, {Key: "dataCenter", Value: "Z0"}, {Key: "cartId", Value: id}, {Key: "keys", Value: bson.A{}}}); err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse("small.yaml", fmt.Appendf(nil, smallWorld, serve(t, store{carts})))
	if err != nil {
		t.Fatal(err)
	}
	homes, err := directory.New(directory.Options{Client: client, World: world, Namespace: "gateway_moves.carts", Here: clustertest.SmallDC})
	if err != nil {
		t.Fatal(err)
	}
	gate, front, caller := gatewayOf(t, world, func(o *gateway.Options) {
		o.Here, o.Client, o.Directory = clustertest.SmallDC, client, homes
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	})
	s := &routedApps{t: t, gate: gate, front: front, client: caller}
	testkit.Eventually(t, testkit.Patience, "the primaries are known", func() bool {
		for _, shard := range gate.Table().Shards {
			if shard.Primary != string(clustertest.SmallDC) {
				return false
			}
		}
		return len(gate.Table().Shards) == 3
	})

	const token = "0123456789abcdef0123"
	admin := serve(t, gate.Admin(gateway.AdminOptions{Token: token}))
	running, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	var mu sync.Mutex
	writes, reads := 0, 0
	for worker := range 4 {
		group.Go(func() {
			for i := 0; running.Err() == nil; i++ {
				a, err := s.try(http.MethodPost, "/v1/carts/Z0."+id+"/items", "{}", "Idempotency-Key", fmt.Sprintf("%d-%d", worker, i))
				b, readErr := s.try(http.MethodGet, "/v1/carts/Z0."+id, "")
				if err != nil || readErr != nil || a.StatusCode != http.StatusOK || b.StatusCode != http.StatusOK {
					t.Errorf("got %v %v %v, %v %v %v", a.Response, a.text, err, b.Response, b.text, readErr)
					return
				}
				mu.Lock()
				writes++
				reads++
				mu.Unlock()
			}
		})
	}
	done := func() int {
		mu.Lock()
		defer mu.Unlock()
		return writes
	}
	moves := testkit.Count(t, "moves", 6, 100)
	for i := range moves {
		from := done()
		testkit.Eventually(t, testkit.Patience, "clients write", func() bool { return done() > from+3 || t.Failed() })
		to := fmt.Sprintf("Z%d", (i+1)%3)
		var last answer
		testkit.Eventually(t, testkit.Patience, fmt.Sprintf("move %d to %s", i, to), func() bool { // a busy machine may need another try
			r, err := http.NewRequest(http.MethodPost, admin+"/v1/rehome", strings.NewReader(fmt.Sprintf(`{"handle":"Z0.%s","to":%q}`, id, to)))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			last, err = read(caller.Do(r))
			return t.Failed() || err == nil && last.StatusCode == http.StatusOK
		})
		var result gateway.Rehoming
		if json.Unmarshal([]byte(last.text), &result) != nil || result.Handle != to+"."+id {
			t.Errorf("move %d to %s: got %s", i, to, last.text)
		}
		if t.Failed() {
			break
		}
	}
	stop()
	group.Wait()
	if t.Failed() {
		return
	}
	var stored struct {
		Keys []string `bson:"keys"`
	}
	cursor, err := carts.Find(ctx, bson.D{{Key: "cartId", Value: id}})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for cursor.Next(ctx) {
		found++
		if err := cursor.Decode(&stored); err != nil {
			t.Fatal(err)
		}
	}
	if found != 1 || len(stored.Keys) != writes {
		t.Errorf("%d records with %d writes, want 1 with %d", found, len(stored.Keys), writes)
	}
	t.Logf("%d moves under %d writes and %d reads", moves, writes, reads)

	// What does not exist does not, by the directory and by the API.
	other := strings.Replace(id, "01K4", "01K5", 1)
	if _, err := homes.Home(ctx, other); !errors.Is(err, router.ErrNoSuchRecord) {
		t.Errorf("a stranger nearby: got %v", err)
	}
	if _, err := homes.HomeNow(ctx, other); !errors.Is(err, router.ErrNoSuchRecord) {
		t.Errorf("a stranger now: got %v", err)
	}
	if _, err := gate.Rehome(ctx, "Z0", other, "Z1"); !errors.Is(err, router.ErrNoSuchRecord) {
		t.Errorf("a stranger moved: got %v", err)
	}
	if _, err := gate.Rehome(ctx, "Z0", id, "Z9"); err == nil {
		t.Error("a record was moved to a home that there is not")
	}

	// Identifiers need not be strings in the database.
	object, u := bson.NewObjectID(), uuid.New()
	for text, value := range map[string]any{object.Hex(): object, u.String(): bson.Binary{Subtype: bson.TypeBinaryUUID, Data: u[:]}, "42": 42, "order_7~a-B": "order_7~a-B"} {
		if _, err := carts.InsertOne(ctx, bson.D{{Key: "dataCenter", Value: "Z1"}, {Key: "cartId", Value: value}}); err != nil {
			t.Fatal(err)
		}
		if home, err := homes.HomeNow(ctx, text); home != "Z1" || err != nil {
			t.Errorf("%s: got the home %q, %v", text, home, err)
		}
		if moved, err := gate.Rehome(ctx, "Z1", text, "Z2"); err != nil || !moved.Moved || moved.Handle != "Z2."+text {
			t.Errorf("%s moved: got %+v, %v", text, moved, err)
		}
		if n, err := carts.CountDocuments(ctx, bson.D{{Key: "dataCenter", Value: "Z2"}, {Key: "cartId", Value: value}}); n != 1 || err != nil {
			t.Errorf("%s: %d documents at the new home, %v", text, n, err)
		}
	}
}
