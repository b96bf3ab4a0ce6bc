package consistency_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
)

// What each profile asks of the driver, in London, is in testdata/options.txt; the driver itself takes all of it.
func TestProfilesYieldDriverOptions(t *testing.T) {
	var out strings.Builder
	for _, p := range append(consistency.Named(), consistency.Profile{Name: "(zero)"}) {
		client := p.ClientOptions("LON").ApplyURI("mongodb://localhost")
		if err := client.Validate(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		fmt.Fprintf(&out, "%s\n  client      %s; timeout %v, retry writes %v, heartbeat %v\n", p.Name,
			concerns(client.ReadConcern, client.WriteConcern, client.ReadPreference), deref(client.Timeout), deref(client.RetryWrites), deref(client.HeartbeatInterval))
		collection := apply[options.CollectionOptions](t, p.CollectionOptions("LON").List())
		fmt.Fprintf(&out, "  collection  %s\n", concerns(collection.ReadConcern, collection.WriteConcern, collection.ReadPreference))
		session := apply[options.SessionOptions](t, p.SessionOptions().List())
		fmt.Fprintf(&out, "  session     causal %v, snapshot %v\n", deref(session.CausalConsistency), deref(session.Snapshot))
		txn := apply[options.TransactionOptions](t, p.TransactionOptions().List())
		fmt.Fprintf(&out, "  transaction %s\n", concerns(txn.ReadConcern, txn.WriteConcern, txn.ReadPreference))

		connected, err := mongo.Connect(client)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		started, err := connected.StartSession(p.SessionOptions())
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		started.EndSession(t.Context())
		if err := connected.Disconnect(t.Context()); err != nil {
			t.Error(err)
		}
	}
	testkit.Golden(t, "testdata/options.txt", out.String())
}

func apply[T any](t *testing.T, set []func(*T) error) T {
	t.Helper()
	var o T
	for _, f := range set {
		if err := f(&o); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func deref[T any](p *T) string {
	if p == nil {
		return "default"
	}
	return fmt.Sprint(*p)
}

func concerns(r *readconcern.ReadConcern, w *writeconcern.WriteConcern, p *readpref.ReadPref) string {
	read, write := "default", "default"
	if r != nil {
		read = r.Level
	}
	if w != nil {
		write = fmt.Sprintf("%v (journal %s)", w.W, deref(w.Journal))
	}
	return fmt.Sprintf("read %s from %s, write %s", read, p, write)
}

func TestCustomProfilesKeepTheirTags(t *testing.T) {
	p := consistency.Profile{Heartbeat: 5 * time.Second, NoRetryWrites: true, Read: consistency.Read{
		Mode: readpref.SecondaryMode, OwnDatacenter: true, Tags: []map[string]string{{"disk": "ssd", "dc": "NYC"}}, Elsewhere: true, MaxStaleness: 2 * time.Minute,
	}}
	o := p.ClientOptions("LON")
	if got, want := fmt.Sprint(o.ReadPreference), "secondary(maxStaleness=2m0s tagSet=dc=LON tagSet=dc=NYC,disk=ssd tagSet=)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if *o.HeartbeatInterval != 5*time.Second || *o.RetryWrites {
		t.Errorf("got heartbeat %s, retry %v", *o.HeartbeatInterval, *o.RetryWrites)
	}
}

func TestLookupKnowsTheNearestName(t *testing.T) {
	_, err := consistency.Lookup("durabel")
	if !errors.Is(err, consistency.ErrUnknownProfile) || hint.Of(err) != `did you mean "durable"?` {
		t.Errorf("got %v, %q", err, hint.Of(err))
	}
	if _, err := consistency.Lookup("xyz"); !strings.Contains(hint.Of(err), "local-fast, ") {
		t.Errorf("got %v", err)
	}
	for _, name := range consistency.Names() {
		if p := lookup(t, name); p.Name != name || p.Summary == "" || p.Promise.Write == "" || p.Promise.Read == "" || p.Promise.Failure == "" || p.Timeout == 0 {
			t.Errorf("%s is not complete: %+v", name, p)
		}
	}
}
