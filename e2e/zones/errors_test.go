package zones_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/explain"
	planning "github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// An outcome is something that has to fail.
type outcome struct {
	name string
	err  error
}

// address and its port differ from run to run.
var address = regexp.MustCompile(`127\.0\.0\.1:\d{2,}`)

// told writes errors with their way out for a golden file. Each has to have one, and none may show a secret.
func told(t *testing.T, outcomes []outcome, secrets ...string) string {
	t.Helper()
	var b strings.Builder
	for _, o := range outcomes {
		if o.err == nil {
			t.Errorf("%s: got no error", o.name)
			continue
		}
		help := hint.Of(o.err)
		if help == "" {
			t.Errorf("%s: %v has no way out", o.name, o.err)
		}
		for _, secret := range secrets {
			if strings.Contains(o.err.Error()+help, secret) {
				t.Errorf("%s: the error shows %q", o.name, secret)
			}
		}
		fmt.Fprintf(&b, "== %s\n%v\nhint: %s\n", o.name, o.err, strings.ReplaceAll(help, "\n", "\nhint: "))
	}
	return address.ReplaceAllString(b.String(), "HOST:PORT")
}

// Wrong input against a real cluster; testdata/errors.txt is what the user reads. What the topology alone is refused for is in the golden files of packages
// topology and zones.
func TestWrongInputIsToldWithAWayOut(t *testing.T) {
	s := open(t, clustertest.Alone(t))
	unreachable := s.unreachable(t)
	db := s.Client().Database("wrong")
	world := *s.cluster.Topology()
	world.Zones = []topology.Zone{{ID: "WA", Shards: []topology.ShardID{"s0"}}, {ID: "WB", Shards: []topology.ShardID{"s1"}}}
	world.Namespaces = []topology.Namespace{{Name: "wrong.carts", Key: topology.Key{{Name: "dc"}, {Name: "id"}}, ZoneBy: "dc", Unknown: topology.UnknownReport}}
	t.Cleanup(func() { s.leave(t, &world) })
	s.apply(t, &world, planning.Options{Shard: true})
	s.admin(t, bson.D{{Key: "shardCollection", Value: "wrong.hashed"}, {Key: "key", Value: bson.D{{Key: "dc", Value: "hashed"}}}})
	if err := db.CreateView(t.Context(), "view", "carts", bson.A{}); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateCollection(t.Context(), "series", options.CreateCollection().SetTimeSeriesOptions(options.TimeSeries().SetTimeField("t"))); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("full").InsertOne(t.Context(), bson.D{{Key: "dc", Value: "WA"}}); err != nil {
		t.Fatal(err)
	}
	plan := func(change func(*topology.Topology)) error {
		w := world
		w.Zones, w.Namespaces = slices.Clone(world.Zones), slices.Clone(world.Namespaces)
		change(&w)
		_, err := s.Plan(t.Context(), &w, planning.Options{Shard: true})
		return err
	}
	// What a collection is like stops no plan: it is a finding.
	for name, rule := range map[string]string{"wrong.hashed": "hashed-key", "wrong.view": "namespace-type", "wrong.series": "namespace-type", "Wrong.carts": "database-case"} {
		w := world
		w.Namespaces = append(slices.Clone(world.Namespaces), world.Namespaces[0])
		w.Namespaces[1].Name = name
		p, err := s.Plan(t.Context(), &w, planning.Options{Shard: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.ContainsFunc(p.Findings, func(f zones.Finding) bool { return f.Rule == rule && f.Subject == name && f.Hint != "" }) || len(p.Steps) > 0 {
			t.Errorf("%s: got %v and %v, want the finding %s and no step", name, p.Findings, p.Steps, rule)
		}
	}
	perform := func(c zones.Change) error { return s.Perform(t.Context(), c) }
	between := func(low, high any, zone topology.ZoneID) zones.Range {
		return zones.Range{Min: document(t, low), Max: document(t, high), Zone: zone}
	}
	dc := func(v any) bson.D { return bson.D{{Key: "dc", Value: v}, {Key: "id", Value: bson.MinKey{}}} }
	testkit.Golden(t, "testdata/errors.txt", told(t, slices.Concat([]outcome{
		{"plan: a shard that the cluster does not have", plan(func(w *topology.Topology) { w.Zones[0].Shards = []topology.ShardID{"tokyo"} })},
		{"plan: overlapping ranges", plan(func(w *topology.Topology) {
			from, to := topology.StringOf("A"), topology.StringOf("M")
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "WA", From: &from, To: &to}, {Zone: "WB", Values: []topology.Value{topology.StringOf("K")}}}
		})},
		{"plan: bounds of the wrong type", plan(func(w *topology.Topology) {
			from, to := topology.IntegerOf(1), topology.StringOf("M")
			w.Namespaces[0].Ranges = []topology.Range{{Zone: "WA", From: &from, To: &to}}
		})},
		{"apply: a range that overlaps", perform(zones.AddRange{Collection: "wrong.carts", Range: between(dc("W"), dc("WAX"), "WB")})},
		{"apply: bounds of another key", perform(zones.AddRange{Collection: "wrong.carts", Range: between(bson.D{{Key: "x", Value: 1}}, bson.D{{Key: "x", Value: 2}}, "WA")})},
		{"apply: string bounds of a hashed key", perform(zones.AddRange{Collection: "wrong.hashed", Range: between(bson.D{{Key: "dc", Value: "A"}}, bson.D{{Key: "dc", Value: "B"}}, "WA")})},
		{"apply: a zone without shards", perform(zones.AddRange{Collection: "wrong.carts", Range: between(dc("X"), dc("Y"), "NOWHERE")})},
		{"apply: an unknown shard", perform(zones.AddShardToZone{Shard: "tokyo", Zone: "WA"})},
		{"apply: the last shard of a zone", perform(zones.RemoveShardFromZone{Shard: "s0", Zone: "WA"})},
		{"apply: a view", perform(zones.ShardCollection{Collection: "wrong.view", Key: world.Namespaces[0].Key})},
		{"apply: a collection with documents", perform(zones.ShardCollection{Collection: "wrong.full", Key: world.Namespaces[0].Key})},
		{"apply: a collection with another key", perform(zones.ShardCollection{Collection: "wrong.hashed", Key: world.Namespaces[0].Key})},
	}, s.noRouter(t, &world), unreachable())))
}

func document(t *testing.T, v any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// noRouter speaks to a member of a shard as if it were a query router.
func (s access) noRouter(t *testing.T, world *topology.Topology) []outcome {
	t.Helper()
	uri, err := s.cluster.MemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	member := connect(t, uri)
	_, opened := catalog.Open(t.Context(), catalog.Options{URI: uri})
	_, verified := verify.Verify(t.Context(), member, world, verify.Options{})
	_, explained := explain.Explain(t.Context(), member, world, "wrong.carts", bson.D{}, "HERE")
	return []outcome{{"open: a mongod instead of a router", opened}, {"verify: a mongod instead of a router", verified}, {"explain: a mongod instead of a router", explained}}
}

// unreachable asks for a router, and for a member, where nothing listens. It takes seconds to give up, so it begins at once, and the result is asked for later.
func (s access) unreachable(t *testing.T) func() []outcome {
	t.Helper()
	uri, err := s.cluster.MemberURI("s1/HERE")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := make(chan []outcome, 1)
	go func() {
		_, opened := catalog.Open(t.Context(), catalog.Options{URI: "mongodb://127.0.0.1:1/", Within: 300 * time.Millisecond})
		_, verified := verify.Verify(t.Context(), s.Client(), s.cluster.Topology(), verify.Options{HostMap: map[string]string{u.Host: "127.0.0.1:1"}})
		outcomes <- []outcome{{"open: nobody listens", opened}, {"verify: a member that is unreachable", verified}}
	}()
	return func() []outcome { return <-outcomes }
}

// withoutRights are the refusals of a cluster with users: somebody who did not log in, somebody with a wrong password, and a user of the shards who may do nothing there.
func (s access) withoutRights(t *testing.T, dc topology.DatacenterID) string {
	t.Helper()
	uri, err := s.cluster.SecretURI(dc)
	if err != nil {
		t.Fatal(err)
	}
	world := s.cluster.Topology()
	attempt := func(uri string) error {
		c, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
		if err != nil {
			return err
		}
		defer func() { _ = c.Close(context.Background()) }()
		_, err = c.Plan(t.Context(), world, planning.Options{})
		return err
	}
	stranger := edit(t, uri, func(u *url.URL, q url.Values) { u.User = nil; q.Del("authSource") })
	wrong := edit(t, uri, func(u *url.URL, _ url.Values) { u.User = url.UserPassword("admin", "hunter2") })
	return told(t, []outcome{
		{"plan: nobody has logged in", attempt(stranger)},
		{"plan: a wrong password", attempt(wrong)},
		{"verify: without the shards' credentials", s.verifyAs(t, world, nil)},
		{"verify: a user of the shards without rights", s.verifyAs(t, world, s.powerless(t, world))},
	}, "hunter2", "sesame")
}

func (s access) verifyAs(t *testing.T, world *topology.Topology, user *options.Credential) error {
	t.Helper()
	as := options.Client().SetTLSConfig(s.members.TLSConfig)
	if user != nil {
		as.SetAuth(*user)
	}
	_, err := verify.Verify(t.Context(), s.Client(), world, verify.Options{ShardClient: as})
	return err
}

// powerless makes a user of each shard who has no role.
func (s access) powerless(t *testing.T, world *topology.Topology) *options.Credential {
	t.Helper()
	for _, shard := range world.Shards {
		uri, err := s.cluster.SecretMemberURI(shard.MemberName(0))
		if err != nil {
			t.Fatal(err)
		}
		cmd := bson.D{{Key: "createUser", Value: "amy"}, {Key: "pwd", Value: "sesame"}, {Key: "roles", Value: bson.A{}}}
		if err := connect(t, uri).Database("admin").RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return &options.Credential{Username: "amy", Password: "sesame", AuthSource: "admin"}
}
