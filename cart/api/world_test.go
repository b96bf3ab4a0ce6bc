package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	text, err := configs.Read(configs.Default)
	if err != nil {
		panic(err)
	}
	world.YAML = string(text)
	code := clustertest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// world is the cluster of this test binary: that of the default preset without its delays. Its primaries are killed, so it is this package's own.
var world = clustertest.World{Options: local.Options{Name: "cart"}}

// opened is the shop in it.
var opened struct {
	once sync.Once
	err  error
}

func running(t testing.TB) *local.Cluster {
	t.Helper()
	c := world.Start(t)
	opened.once.Do(func() { opened.err = open(t, c) })
	if opened.err != nil {
		t.Fatalf("set the shop up: %v", opened.err)
	}
	return c
}

func open(t testing.TB, c *local.Cluster) error {
	uri, err := c.URI("NYC")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	began := time.Now()
	err = server.Setup(ctx, server.SetupOptions{Target: server.Target{URI: uri, World: c.Topology()}})
	t.Logf("shop ready after %s", time.Since(began).Round(time.Millisecond))
	return err
}

// An instance is the API of one datacenter, without a network in front of it.
type instance struct {
	http.Handler
	dc    topology.DatacenterID
	store *store.Store
}

// patience bounds requests, and reads that wait for their token, of instances whose answers are not about time: the machine may be busy.
const patience = 25 * time.Second

var secret = bytes.Repeat([]byte{7}, 32)

func instanceOf(t testing.TB, dc topology.DatacenterID, change ...func(*api.Options)) instance {
	t.Helper()
	uri, err := running(t).URI(dc)
	if err != nil {
		t.Fatal(err)
	}
	witness := consistency.NewWitness()
	client, err := mongo.Connect(witness.Attach(options.Client().ApplyURI(uri)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	s, err := store.New(store.Options{Client: client, DataCenter: dc})
	if err != nil {
		t.Fatal(err)
	}
	key, err := signing.NewKey("k", secret)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{Store: s, Witness: witness, Keys: keys, Timeout: patience, Wait: patience}
	for _, f := range change {
		f(&o)
	}
	handler, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return instance{handler, dc, s}
}

func key() string { return ulid.Make().String() }

type header func(http.Header)

func with(name, value string) header { return func(h http.Header) { h.Set(name, value) } }

// once is a header with a key of its own.
func once() header { return with("Idempotency-Key", key()) }

func ask(to http.Handler, method, path, body string, headers ...header) *http.Response {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		h(r.Header)
	}
	w := httptest.NewRecorder()
	to.ServeHTTP(w, r)
	return w.Result()
}

// read decodes an answer with the status that is wanted.
func read[T any](t testing.TB, answer *http.Response, status int) (v T) {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("got %s, want %d: %s", answer.Status, status, b.String())
	}
	if err := json.Unmarshal(b.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	return v
}

// create makes a cart, and returns the token with it.
func create(t testing.TB, at instance) (cart.Cart, string) {
	t.Helper()
	answer := ask(at, http.MethodPost, "/v1/carts", `{"customer":"amy"}`, once())
	return read[cart.Cart](t, answer, http.StatusCreated), answer.Header.Get(gintoken.DefaultHeader)
}
