package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/topology"
)

func (s *routedApps) up(dc int) bool { return s.gate.Table().Datacenters[dc].Up }

// A datacenter that fails its checks is left; when it is well again its records are handed back, without anybody's doing.
func TestLostDatacentersAreLeftAndHandedBack(t *testing.T) {
	s := newRoutedApps(t, "")
	testkit.Eventually(t, testkit.Patience, "all are up", func() bool { return s.up(0) && s.up(1) && s.up(2) })
	s.apps[2].isReady(false)
	testkit.Eventually(t, testkit.Patience, "SYD is lost", func() bool { return !s.up(2) })
	write := func() string {
		return s.ask(http.MethodPost, "/v1/carts/SYD."+id+"/items", "", "Idempotency-Key", key).Header.Get("X-Served-By")
	}
	// Nobody tells where the primary is by now, so it is looked for where the next one is preferred: in London.
	if got := write(); got != "LON" {
		t.Errorf("a write of SYD went to %q, want LON", got)
	}
	if got := s.ask(http.MethodPost, "/v1/carts", "", "X-Geoshard-Place", "SYD").Header.Get("X-Served-By"); got != "NYC" {
		t.Errorf("a new record for SYD went to %q, want NYC, the next nearest", got)
	}
	s.apps[2].isReady(true)
	testkit.Eventually(t, testkit.Patience, "SYD is back", func() bool { return s.up(2) })
	if got := write(); got != "SYD" {
		t.Errorf("after its return a write of SYD went to %q", got)
	}
}

// An election is waited for. A shard that stays without a primary gets no new records until it has one; what waited is made elsewhere.
func TestAShardThatStaysWithoutAPrimaryGetsNoNewRecords(t *testing.T) {
	s := newRoutedApps(t, "  budget: 2s\n")
	testkit.Eventually(t, testkit.Patience, "all are up", func() bool { return s.up(0) && s.up(1) && s.up(2) })
	for _, shard := range []string{"nyc", "lon", "syd"} {
		s.gate.SeePrimary(topology.ShardID(shard), topology.DatacenterID(strings.ToUpper(shard)))
	}
	create := func() (string, time.Duration) {
		began := time.Now()
		a := s.ask(http.MethodPost, "/v1/carts", "", "X-Geoshard-Place", "SYD", "Idempotency-Key", key)
		return a.Header.Get("X-Served-By"), time.Since(began)
	}
	s.gate.SeePrimary("syd", "")
	if by, took := create(); by != "NYC" || took < 1500*time.Millisecond {
		t.Errorf("a new record for SYD was made in %q after %s, want NYC, the next nearest, when three quarters of the budget are over", by, took)
	}
	if by, _ := create(); by != "NYC" {
		t.Errorf("another one was made in %q, want NYC", by)
	}
	s.gate.SeePrimary("syd", "LON")
	if by, _ := create(); by != "SYD" {
		t.Errorf("with a primary in London it was made in %q, want SYD", by)
	}
}

// This datacenter's own application may be the one that is lost: reads go to the nearest then.
func TestReadsLeaveALostDatacenter(t *testing.T) {
	s := newRoutedApps(t, "")
	s.apps[0].isReady(false)
	testkit.Eventually(t, testkit.Patience, "NYC is lost", func() bool { return !s.up(0) })
	if got := s.ask(http.MethodGet, "/v1/carts/SYD."+id, "").Header.Get("X-Served-By"); got == "NYC" || got == "" {
		t.Errorf("a read went to %q", got)
	}
}

// An upstream that passes its checks and fails the requests is left out by these, for a while.
func TestFailingUpstreamsAreLeftOut(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.CheckEvery = 20 * time.Millisecond })
	s.apps[1].does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	path := "/v1/carts/LON." + id + "/items"
	for range 5 {
		if a := s.ask(http.MethodPost, path, ""); a.StatusCode != http.StatusBadGateway {
			t.Fatalf("got %s", a.Status)
		}
	}
	if s.up(1) {
		t.Error("LON is used although it fails every request")
	}
	s.apps[1].does(nil)
	testkit.Eventually(t, testkit.Patience, "LON gets another chance", func() bool { return s.up(1) })
	if a := s.ask(http.MethodPost, path, ""); a.Header.Get("X-Served-By") != "LON" {
		t.Errorf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
	}
}

// The shop's word that its database elects is not its own failure.
func TestAnElectionIsNoFailureOfTheUpstream(t *testing.T) {
	s := newRoutedApps(t, "")
	s.apps[1].electing(1e9, 503, "unavailable")
	for range 20 {
		s.ask(http.MethodPost, "/v1/carts/LON."+id+"/items", "")
	}
	if !s.up(1) {
		t.Error("LON was left out because its database elects")
	}
}

// What is under way at an upstream that is lost is ended there and done elsewhere, if it may be repeated.
func TestRequestsUnderWayLeaveALostUpstream(t *testing.T) {
	s := newRoutedApps(t, "")
	stuck, arrived := make(chan struct{}), make(chan struct{}, 2)
	defer close(stuck)
	s.apps[2].does(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-stuck
	})
	answered := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodPost, "/v1/carts/SYD."+id+"/items", "{}", "Idempotency-Key", key)
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()
	<-arrived
	s.apps[2].isReady(false)
	if a := <-answered; a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "LON" {
		t.Errorf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
	}
}

// Several upstreams of a datacenter share the work, and one of them alone does it all.
func TestUpstreamsOfADatacenterShareTheWork(t *testing.T) {
	one, two, far, farther := newApplication(t, "NYC"), newApplication(t, "NYC"), newApplication(t, "LON"), newApplication(t, "SYD")
	world := worldOf(t, [3][]string{{one.URL, two.URL}, {far.URL}, {farther.URL}}, "")
	gate, front, client := gatewayOf(t, world)
	s := &routedApps{t: t, gate: gate, front: front, client: client}
	for range 40 {
		s.ask(http.MethodGet, "/", "")
	}
	if a, b := len(one.requests()), len(two.requests()); a < 10 || b < 10 {
		t.Errorf("the shares are %d and %d", a, b)
	}
	one.Close()
	for range 20 {
		if a := s.ask(http.MethodGet, "/", ""); a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "NYC" {
			t.Fatalf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
		}
	}
}

// Two gateways that see the world differently cost a detour: whichever of them is asked, each change is made exactly once. The applications stand for
// the database here: they share one store that knows keys, as the shop's carts do.
func TestGatewaysThatDisagreeLoseNothing(t *testing.T) {
	s := newRoutedApps(t, "")
	// The other gateway sits in London and believes that New York is lost, and that Sydney is well though it is not.
	var upstreams [3][]string
	for i := range places {
		upstreams[i] = []string{s.apps[i].URL}
	}
	dead := newApplication(t, "NYC")
	dead.Close()
	_, other, _ := gatewayOf(t, worldOf(t, [3][]string{{dead.URL}, upstreams[1], upstreams[2]}, ""), func(o *gateway.Options) { o.Here = "LON" })
	var mu sync.Mutex
	done, total := map[string]int{}, 0
	var calls atomic.Int64
	for _, app := range s.apps {
		app.does(func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1)%7 == 0 {
				problem(w, 503, "unavailable")
				return
			}
			mu.Lock()
			if done[r.Header.Get("Idempotency-Key")]++; done[r.Header.Get("Idempotency-Key")] == 1 {
				total++
			}
			mu.Unlock()
			if calls.Load()%11 == 0 { // done, and the answer is lost
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
			}
		})
	}
	const writes = 300
	fronts := []*routedApps{s, {t: t, front: other, client: s.client}}
	var group sync.WaitGroup
	for i := range writes {
		group.Go(func() {
			home := places[i%3]
			a, err := fronts[i%2].try(http.MethodPost, fmt.Sprintf("/v1/carts/%s.%s/items", home, id), "{}", "Idempotency-Key", fmt.Sprintf("01K4B4B2V8G3T%013d", i))
			if err != nil || a.StatusCode != http.StatusOK {
				t.Errorf("write %d: got %v, %v", i, a.Response, err)
			}
		})
		if i%16 == 15 {
			group.Wait()
		}
	}
	group.Wait()
	if total != writes || len(done) != writes {
		t.Errorf("%d writes were made of %d", total, writes)
	}
	t.Logf("%d writes by two gateways, %d calls of applications", writes, calls.Load())
}
