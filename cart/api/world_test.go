package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) {
	local.ChildMain()
	gin.SetMode(gin.ReleaseMode)
	code := m.Run()
	if world.cluster != nil {
		if err := errors.Join(world.cluster.Close(context.Background()), os.RemoveAll(world.dir)); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// world is the cluster of this test binary: that of the preset nyc-lon-syd without its delays, with a shop in it.
var world struct {
	once    sync.Once
	cluster *local.Cluster
	dir     string
	err     error
}

func running(t testing.TB) *local.Cluster {
	t.Helper()
	world.once.Do(func() { world.err = start(t) })
	if world.err != nil {
		t.Fatalf("start: %v", world.err)
	}
	return world.cluster
}

func start(t testing.TB) error {
	text, err := configs.Read(configs.Default)
	if err != nil {
		return err
	}
	declared, err := topology.Parse(configs.Default, text)
	if err != nil {
		return err
	}
	if world.dir, err = os.MkdirTemp("", "geoshard-cart-"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute) // a busy machine takes minutes
	defer cancel()
	began := time.Now()
	if world.cluster, err = local.Start(ctx, local.Options{Name: "cart", Dir: world.dir, Topology: declared, WANScale: -1}); err != nil {
		return err
	}
	uri, err := world.cluster.URI("NYC")
	if err != nil {
		return err
	}
	up := time.Since(began)
	err = demo.Setup(ctx, demo.SetupOptions{Target: demo.Target{URI: uri, World: declared}})
	t.Logf("cluster ready after %s, shop after %s more", up.Round(time.Millisecond), (time.Since(began) - up).Round(time.Millisecond))
	return err
}

// An instance is the API of one datacenter, without a network in front of it.
type instance struct {
	http.Handler
	dc    topology.DatacenterID
	store *store.Store
}

// patience is the timeout of instances whose answers are not about time: the machine may be busy.
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
	key, err := consistency.NewKey("k", secret)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := consistency.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	o := api.Options{Store: s, Witness: witness, Keys: keys, Timeout: patience}
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
