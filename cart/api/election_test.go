package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
)

// lateness is what a busy machine may add to the timeout.
const lateness = 10 * time.Second

// While a shard has no primary, writes to it are answered within the timeout, with a problem that says that they can be sent again, and when; reads of copies go on. Once
// there is a primary, the same keys do it once.
func TestWithoutAPrimaryAnswersComeInTime(t *testing.T) {
	c := running(t)
	clustertest.AwaitWhole(t, c)
	t.Parallel() // another test breaks another shard
	syd := instanceOf(t, "SYD", func(o *api.Options) { o.Timeout = api.DefaultTimeout })
	patient := instanceOf(t, "SYD")
	made, _ := create(t, syd)
	path := "/v1/carts/" + made.Handle.String()
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var gone []string
	for _, m := range status.Members { // the majority: nobody can be elected
		switch {
		case m.Shard != "syd":
		case len(gone) < 2 && (m.Role == cluster.RolePrimary || m.Datacenter != "SYD"):
			gone = append(gone, m.Name)
		default:
			acquaint(t, m)
		}
	}
	back := sync.OnceFunc(func() { clustertest.Revive(t, c, gone...) })
	defer back()
	for _, name := range gone {
		if err := c.Kill(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	type call struct {
		path, body string
		key        header
	}
	add := func() call { return call{path + "/items", `{"sku":"book","quantity":1}`, once()} }
	calls := []call{add(), add(), {"/v1/carts", `{}`, once()}}
	answers, took := make([]*http.Response, len(calls)), make([]time.Duration, len(calls))
	var all sync.WaitGroup
	for i, one := range calls {
		all.Go(func() {
			began := time.Now()
			answers[i] = ask(syd, http.MethodPost, one.path, one.body, one.key)
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	for i, answer := range answers {
		p := read[api.Problem](t, answer, answer.StatusCode)
		name := strings.TrimPrefix(p.Type, api.ProblemBase)
		if name != "unavailable" && name != "timed-out" || answer.StatusCode != http.StatusServiceUnavailable && answer.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("got %s: %+v", answer.Status, p)
		}
		if answer.Header.Get("Retry-After") == "" || took[i] > api.DefaultTimeout+lateness {
			t.Errorf("answered after %s with Retry-After %q, want it within about %s", took[i], answer.Header.Get("Retry-After"), api.DefaultTimeout)
		}
	}
	// A read that met one of the killed members is given up after 2 s, and its router asks another one next time.
	local := testkit.EventuallyNil(t, testkit.Patience, "a local read is answered", func(context.Context) error {
		answer := ask(syd, http.MethodGet, "/v1/carts?profile=local-fast", "")
		switch answer.StatusCode {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			t.Errorf("a local read: got %s", answer.Status)
		}
		return fmt.Errorf("got %s: %s", answer.Status, readAll(t, answer))
	})
	t.Logf("writes without a primary were answered after %s at most, a local read after %s", slices.Max(took).Round(time.Millisecond), local.Round(time.Millisecond))
	back()
	for _, one := range calls {
		testkit.EventuallyNil(t, testkit.Patience, "what was sent is done", func(context.Context) error {
			if answer := ask(patient, http.MethodPost, one.path, one.body, one.key); answer.StatusCode >= 300 {
				return fmt.Errorf("got %s: %s", answer.Status, readAll(t, answer))
			}
			return nil
		})
	}
	if got := read[cart.Cart](t, ask(patient, http.MethodGet, path+"?profile=multi-datacenter", ""), http.StatusOK); got.Count() != 2 {
		t.Errorf("got %d books after two adds that were sent again, want 2", got.Count())
	}
}

// acquaint lets a member read the carts once: it learns then from its primary which of them are its own, and without a primary it would not answer.
func acquaint(t *testing.T, m cluster.Member) {
	t.Helper()
	uri, err := running(t).URI(m.Datacenter)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetReadPreference(readpref.Nearest(readpref.WithTags("dc", string(m.Datacenter)))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	// It may be the one of three that has not got the cart yet.
	testkit.EventuallyNil(t, testkit.Patience, m.Name+" reads a cart", func(ctx context.Context) error {
		return client.Database("shop").Collection("carts").FindOne(ctx, bson.D{{Key: "dataCenter", Value: "SYD"}}).Err()
	})
}

// A primary that is killed: each request is answered in time, and most of those that met the election by having waited for it.
func TestAnElectionIsWaitedForOrTold(t *testing.T) {
	c := running(t)
	clustertest.AwaitWhole(t, c)
	t.Parallel()
	lon := instanceOf(t, "LON", func(o *api.Options) { o.Timeout = api.DefaultTimeout })
	made, _ := create(t, lon)
	path := "/v1/carts/" + made.Handle.String() + "/items"
	primary := clustertest.AwaitPrimary(t, c, "lon", "")
	if err := c.Kill(t.Context(), primary.Name); err != nil {
		t.Fatal(err)
	}
	defer func() { clustertest.Revive(t, c, primary.Name) }()
	done, until, took := 0, time.Now().Add(testkit.Patience), []string{}
	for done < 3 {
		key := once()
		for {
			began := time.Now()
			answer := ask(lon, http.MethodPost, path, `{"sku":"mug","quantity":1}`, key)
			took = append(took, fmt.Sprintf("%d after %s", answer.StatusCode, time.Since(began).Round(10*time.Millisecond)))
			if answer.StatusCode == http.StatusOK {
				done++
				break
			}
			if time.Since(began) > api.DefaultTimeout+lateness || answer.Header.Get("Retry-After") == "" || answer.StatusCode < 503 || time.Now().After(until) {
				t.Fatalf("got %v: %s", took, readAll(t, answer))
			}
		}
	}
	got := read[cart.Cart](t, ask(lon, http.MethodGet, "/v1/carts/"+made.Handle.String()+"?profile=multi-datacenter", ""), http.StatusOK) // what a majority has may be a moment behind
	if got.Count() != done {
		t.Errorf("got %d mugs, want %d", got.Count(), done)
	}
	t.Logf("answers: %v", took)
}
