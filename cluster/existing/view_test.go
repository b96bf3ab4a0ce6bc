package existing_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/existing"
	"github.com/geoshard/geoshard/topology"
)

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// The view of a cluster from outside says of its shards what their supervisor says.
func TestViewAgreesWithSupervisor(t *testing.T) {
	ctx := t.Context()
	clustertest.Needs(t, "a supervisor that says what there is")
	c := clustertest.Shared(t)
	uri, err := c.URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	v, err := existing.Connect(ctx, existing.Options{Name: "mine", URI: uri, Topology: c.Topology()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close(ctx) })
	want, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, w := range want.Members {
		if w.Shard == "" {
			continue // config servers and routers cannot be listed through a query router
		}
		g, ok := got.Member(w.Name)
		if !ok || g.Host != w.Host || g.Role != w.Role || g.State != w.State || g.Home != w.Home || g.Datacenter != w.Datacenter {
			t.Errorf("%s: got %+v, want %+v", w.Name, g, w)
		}
		compared++
	}
	if compared != 3 || len(got.Members) != 3 || !got.PrimariesAtHome() || got.ServerVersion != want.ServerVersion {
		t.Errorf("got %+v, want 3 members, primaries at home, version %s", got, want.ServerVersion)
	}
	if u, err := v.URI(clustertest.SmallDC); err != nil || u != uri {
		t.Errorf("URI: got %s, %v, want %s", u, err, uri)
	}
	if _, err := v.URI("NOWHERE"); !errors.Is(err, topology.ErrUnknownDatacenter) {
		t.Errorf("URI: got %v, want ErrUnknownDatacenter", err)
	}
}

func TestConnectRefusesAMember(t *testing.T) {
	c := clustertest.Shared(t)
	uri, err := c.MemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := existing.Connect(t.Context(), existing.Options{URI: uri, Topology: c.Topology()}); !errors.Is(err, topology.ErrNoQueryRouter) {
		t.Errorf("got %v, want ErrNoQueryRouter", err)
	}
}

func TestErrorsHideCredentials(t *testing.T) {
	world, err := clustertest.Small()
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{
		"mongodb://amy:pa%zz@db.example.net/",
		"mongodb://amy:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=200",
		"amy:hunter2",
	} {
		began := time.Now()
		_, err := existing.Connect(t.Context(), existing.Options{URI: uri, Topology: world})
		if err == nil {
			t.Fatalf("%s: got no error", uri)
		}
		for _, secret := range []string{"hunter2", "pa%zz", "amy"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows %q: %v", secret, err)
			}
		}
		t.Logf("%v (%s)", err, time.Since(began).Round(time.Millisecond))
	}
}
