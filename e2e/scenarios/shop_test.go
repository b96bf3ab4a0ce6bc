package scenarios_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// An openedShop is the shop on a cluster, open in each datacenter.
type openedShop struct {
	cluster.Cluster
	// hostMap says where members are reached from this machine, if not at their advertised addresses.
	hostMap func() map[string]string

	shops map[topology.DatacenterID]*store.Store
	// clients are those of the shops: what is opened in one story stays for the others.
	clients []*mongo.Client
}

// moveWithin bounds the moves of all that a plan moves: some of the balancer's rounds of 10 s.
const moveWithin = 5 * time.Minute

// tell tells all stories, one after the other; what a story breaks, it heals.
func tell(t *testing.T, s *openedShop) {
	t.Helper()
	defer s.leave()
	s.open(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *openedShop)
	}{
		{"a datacenter and a shard are added", aDatacenterAndAShardAreAdded},
		{"documents are in their zones", documentsAreInTheirZones},
		{"a token makes a traveller read his own writes", aTokenMakesATravellerReadHisOwnWrites},
		{"a primary dies", aPrimaryDies},
		{"a datacenter is cut off", aDatacenterIsCutOff},
		{"a traveller's cart moves home", aTravellersCartMovesHome},
		{"a range moves to another zone", aRangeMovesToAnotherZone},
	} {
		if !t.Run(story.name, func(t *testing.T) { story.tell(t, s) }) {
			t.FailNow() // the others would only repeat that the cluster is broken
		}
	}
}

// open makes the shop, and connects to the query router of each datacenter.
func (s *openedShop) open(t *testing.T) {
	t.Helper()
	s.shops = map[topology.DatacenterID]*store.Store{}
	for _, dc := range s.Topology().Datacenters {
		s.shops[dc.ID] = s.connect(t, dc.ID, dc.ID)
	}
	s.setUp(t)
}

// leave ends the clients, as long as the cluster is there: they end their sessions.
func (s *openedShop) leave() {
	for _, client := range s.clients {
		_ = client.Disconnect(context.Background())
	}
}

// connect opens the shop of a datacenter by the query router of one.
func (s *openedShop) connect(t *testing.T, dc, through topology.DatacenterID) *store.Store {
	t.Helper()
	uri, err := s.URI(through)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	s.clients = append(s.clients, client)
	shop, err := store.New(store.Options{Client: client, DataCenter: dc})
	if err != nil {
		t.Fatal(err)
	}
	return shop
}

// setUp makes the shop in all datacenters that there are; what is there stays.
func (s *openedShop) setUp(t *testing.T) {
	t.Helper()
	uri, err := s.URI(s.Topology().Datacenters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := server.Setup(t.Context(), server.SetupOptions{Target: server.Target{URI: uri, World: s.Topology()}}); err != nil {
		t.Fatalf("set up the shop: %v%s", err, clustertest.Hint(err))
	}
	t.Logf("the shop was set up in %s", time.Since(began).Round(100*time.Millisecond))
}

// apply gives the zones and ranges the form that a world declares, and waits until all that has to move has moved.
func (s *openedShop) apply(t *testing.T, world *topology.Topology) {
	t.Helper()
	c := s.catalog(t)
	plan, err := c.Plan(t.Context(), world, plan.Options{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Empty() {
		t.Fatal("nothing to do: the story shows nothing")
	}
	began := time.Now()
	if _, err := apply.Apply(t.Context(), plan, c.ApplyDeps(catalog.LockOptions{}), apply.Options{AutoApprove: true, Force: true}); err != nil {
		t.Fatalf("apply %v: %v", plan.Steps, err)
	}
	if err := apply.Wait(t.Context(), plan.Layout, c, apply.WaitOptions{Goal: apply.WaitClean, Timeout: moveWithin}); err != nil {
		t.Fatalf("wait: %v%s", err, clustertest.Hint(err))
	}
	t.Logf("%d steps and all that moved: %s", len(plan.Steps), time.Since(began).Round(100*time.Millisecond))
}

// catalog opens the config catalogue through the first datacenter's query router.
func (s *openedShop) catalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	uri, err := s.URI(s.Topology().Datacenters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close(context.Background()) })
	return opened
}

// prove counts the documents on every member and wants all of them in their zones.
func (s *openedShop) prove(t *testing.T, world *topology.Topology) {
	t.Helper()
	var o verify.Options
	if s.hostMap != nil {
		o.HostMap = s.hostMap()
	}
	r, err := verify.Verify(t.Context(), s.catalog(t).Client(), world, o)
	if err != nil {
		t.Fatal(err)
	}
	sum := r.Totals()
	if !r.Clean() || len(r.NotChecked) > 0 || sum.Documents == 0 {
		t.Errorf("got %d documents, not clean or not all checked: %+v", sum.Documents, *r)
	}
	t.Logf("%d documents are where they belong, on every member", sum.Documents)
}

func profile(t *testing.T, name string) consistency.Profile {
	t.Helper()
	p, err := consistency.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
