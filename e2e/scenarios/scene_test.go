package scenarios_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/verify"
)

// within bounds each wait: several elections with their catch-up on a busy machine.
const within = 90 * time.Second

// amount is how much of something is done.
func amount(ordinarily, soaking int) int {
	if os.Getenv("GEOSHARD_SOAK") == "1" {
		return soaking
	}
	return ordinarily
}

// A scene is a cluster with the shop in it, seen from each datacenter.
type scene struct {
	cluster.Cluster
	// hostMap says where members are reached from this machine, if not at their advertised addresses.
	hostMap func() map[string]string

	shops map[topology.DatacenterID]*store.Store
	// whole is the test of all stories: what is opened in one of them stays for the others.
	whole *testing.T
}

// tell tells all stories, one after the other; what a story breaks, it heals.
func tell(t *testing.T, s *scene) {
	t.Helper()
	s.whole = t
	s.open(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *scene)
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
func (s *scene) open(t *testing.T) {
	t.Helper()
	s.shops = map[topology.DatacenterID]*store.Store{}
	for _, dc := range s.Topology().Datacenters {
		s.shops[dc.ID] = s.connect(t, dc.ID, dc.ID)
	}
	s.setUp(t)
}

// connect opens the shop of a datacenter by the query router of one.
func (s *scene) connect(t *testing.T, dc, through topology.DatacenterID) *store.Store {
	t.Helper()
	uri, err := s.URI(through)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	s.whole.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	shop, err := store.New(store.Options{Client: client, DataCenter: dc})
	if err != nil {
		t.Fatal(err)
	}
	return shop
}

// setUp makes the shop in all datacenters that there are; what is there stays.
func (s *scene) setUp(t *testing.T) {
	t.Helper()
	uri, err := s.URI(s.Topology().Datacenters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := demo.Setup(t.Context(), demo.SetupOptions{Target: demo.Target{URI: uri, World: s.Topology()}}); err != nil {
		t.Fatalf("set up the shop: %v%s", err, clustertest.Hint(err))
	}
	t.Logf("the shop was set up in %s", time.Since(began).Round(100*time.Millisecond))
}

// apply gives the zones and ranges the form that a world declares, and waits until all that has to move has moved.
func (s *scene) apply(t *testing.T, world *topology.Topology) {
	t.Helper()
	c := s.catalog(t)
	plan, err := c.Plan(t.Context(), world, zones.PlanOptions{Prune: true})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Empty() {
		t.Fatal("nothing to do: the story shows nothing")
	}
	began := time.Now()
	if _, err := zones.Apply(t.Context(), plan, c.ApplyDeps(catalog.LockOptions{}), zones.ApplyOptions{AutoApprove: true, Force: true}); err != nil {
		t.Fatalf("apply %v: %v", plan.Steps, err)
	}
	if err := zones.Wait(t.Context(), plan.Layout, c, zones.WaitOptions{Goal: zones.WaitClean, Timeout: 3 * within}); err != nil {
		t.Fatalf("wait: %v%s", err, clustertest.Hint(err))
	}
	t.Logf("%d steps and all that moved: %s", len(plan.Steps), time.Since(began).Round(100*time.Millisecond))
}

// catalog opens the config catalogue through the first datacenter's query router.
func (s *scene) catalog(t *testing.T) *catalog.Catalog {
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
func (s *scene) prove(t *testing.T, world *topology.Topology) {
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
		t.Errorf("got %d documents, not clean or not all checked:\n%s", sum.Documents, r.Text())
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

// await polls the status until it is as wanted.
func (s *scene) await(t *testing.T, what string, wanted func(cluster.Status) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := s.Status(ctx)
		if err == nil && wanted(status) {
			t.Logf("%s: after %s", what, time.Since(began).Round(10*time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s (%v): %+v", what, within, err, status.Members)
		case <-tick.C:
		}
	}
}

// awaitWhole waits until everybody works and every primary is at home.
func (s *scene) awaitWhole(t *testing.T) {
	t.Helper()
	s.await(t, "all members up, all primaries at home", cluster.Status.Whole)
}
