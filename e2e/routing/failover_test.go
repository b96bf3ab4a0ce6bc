package routing_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

func newKey() string { return ulid.Make().String() }

// A trouble is a time in which something was broken.
type trouble struct {
	began, ended time.Time
	what         string
	// shards have their primary in question; cut is the datacenter that was cut off.
	shards []topology.ShardID
	cut    topology.DatacenterID
}

// Primaries are killed by SIGKILL and datacenters cut off, again and again, under load. Clients of gateways that see a majority get no error, only time; in the end the carts
// hold what was acknowledged.
func failoverCostsTimeAndNoErrors(t *testing.T, s *routedShop) {
	m := newMarket(t, s, testkit.Count(t, "carts", 60, 1500))
	seed := testkit.Seed(t)
	random := rand.New(rand.NewPCG(seed, 7))
	ctx, stop := context.WithCancel(t.Context())
	rate := testkit.Count(t, "requests a second", 40, 200)
	calm := time.Duration(testkit.Count(t, "seconds of calm", 3, 8)) * time.Second
	kills, cuts := testkit.Count(t, "kills", 2, 20), testkit.Count(t, "cuts", 1, 5)
	c := s.watchMachine(t)
	var load sync.WaitGroup
	began := time.Now()
	load.Go(func() { m.shop(ctx, rate, 64, 0.2, seed) })
	defer load.Wait() // also when a wait is in vain
	defer stop()
	var troubles []trouble
	for i := range kills + cuts {
		testkit.Pause(t.Context(), calm)
		if i%max(1, (kills+cuts)/cuts) == 1 && cutsIn(troubles) < cuts || kills+cuts-i <= cuts-cutsIn(troubles) {
			troubles = append(troubles, s.cutOff(t, m, c, places[random.IntN(len(places))]))
		} else {
			troubles = append(troubles, s.killPrimary(t, c, s.world.Shards[random.IntN(len(s.world.Shards))].ID))
		}
	}
	testkit.Pause(t.Context(), calm)
	stop()
	load.Wait()
	c.end()
	t.Logf("seed %d: %d kills, %d cuts, %d requests in %s (%.0f/s of %d/s)", seed, len(troubles)-cutsIn(troubles), cutsIn(troubles), len(m.samples),
		time.Since(began).Round(time.Second), float64(len(m.samples))/time.Since(began).Seconds(), rate)
	m.judge(t, troubles, c)
	if wrong := m.compare(); wrong > 0 {
		t.Errorf("%d carts do not hold what was acknowledged", wrong)
	}
	t.Logf("%d writes had been done before they were acknowledged; %d were sent again by their clients", m.replayed.Load(), m.settled.Load())
}

func cutsIn(list []trouble) (n int) {
	for _, one := range list {
		if one.cut != "" {
			n++
		}
	}
	return n
}

// outage is how long something stays broken: an election, and some time with the new primary.
const outage = 2*electionTimeout + 3*time.Second

// killPrimary kills a shard's primary, starts it again, and waits until the primary is back at home.
func (s *routedShop) killPrimary(t *testing.T, c *control, shard topology.ShardID) trouble {
	t.Helper()
	c.avoid(shard)
	one := trouble{began: time.Now(), shards: []topology.ShardID{shard}}
	killed, _ := clustertest.KillPrimary(t, s.cluster, shard)
	one.what = "kill " + killed.Name
	testkit.Pause(t.Context(), outage-time.Since(one.began))
	clustertest.Revive(t, s.cluster, killed.Name)
	s.awaitWhole(t)
	one.ended = time.Now()
	t.Logf("%s: all at home after %s", one.what, one.ended.Sub(one.began).Round(10*time.Millisecond))
	return one
}

// cutOff cuts a datacenter off: members, query routers, gateways and shops. Its clients stop, as their gateway sees no majority.
func (s *routedShop) cutOff(t *testing.T, m *market, c *control, dc topology.DatacenterID) trouble {
	t.Helper()
	m.away.Store(dc)
	one := trouble{began: time.Now(), what: "cut off " + string(dc), cut: dc}
	for _, shard := range s.world.Shards {
		if s.world.HomeOf(shard.ID) == dc {
			one.shards = append(one.shards, shard.ID)
		}
	}
	c.avoid(one.shards...)
	if err := s.network.Apply(wan.Isolate{DC: dc}); err != nil {
		t.Fatal(err)
	}
	if err := s.cluster.Apply(t.Context(), wan.Isolate{DC: dc}); err != nil {
		t.Fatal(err)
	}
	testkit.Pause(t.Context(), outage)
	s.network.Heal()
	if err := s.cluster.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.awaitWhole(t)
	one.ended = time.Now()
	m.away.Store(topology.DatacenterID(""))
	t.Logf("%s: all at home after %s", one.what, one.ended.Sub(one.began).Round(10*time.Millisecond))
	return one
}

// judge says what the clients saw.
func (m *market) judge(t *testing.T, troubles []trouble, c *control) {
	t.Helper()
	var longest time.Duration
	errors, excused, late := map[string]int{}, 0, 0
	var calm, others []time.Duration // of clients at home, whose own shard was not in trouble
	for _, s := range m.samples {
		during, cut := m.during(s, troubles)
		if s.status == 0 || s.status >= 300 {
			if cut {
				excused++ // a client of a gateway that saw no majority
				continue
			}
			if c.stoodStill(s) {
				late++
				continue
			}
			what := "calm"
			if during != nil {
				what = during.what
			}
			errors[fmt.Sprintf("%s: write %v from %s to %s: %d %.300s", what, s.write, s.from, s.home, s.status, s.problem)]++
			continue
		}
		took := s.ended.Sub(s.began)
		if !cut {
			longest = max(longest, took)
		}
		if s.from != s.home || !s.write {
			continue
		}
		switch {
		case during == nil:
			calm = append(calm, took)
		case !m.concerns(during, s):
			others = append(others, took)
		}
	}
	for what, n := range errors {
		t.Errorf("%d client-visible errors: %s", n, what)
	}
	p50calm, p50others := median(calm), median(others)
	ratio := float64(p50others) / float64(max(1, p50calm))
	t.Logf("errors 0 wanted, got %d kinds; %d of clients that were cut off; %d that the machine was late by; pMax %s; %s", len(errors), excused, late, longest.Round(time.Millisecond), c)
	t.Logf("local writes elsewhere: p50 %s in calm (%d), %s while another datacenter was in trouble (%d): ratio %.2f", p50calm, len(calm), p50others, len(others), ratio)
	if testkit.Soak() && ratio > 1.25 {
		t.Errorf("other datacenters' p50 was %.2f times that of calm times, want at most 1.25", ratio)
	}
}

// during finds the trouble that a request met, and says whether its client was cut off then.
func (m *market) during(s sample, troubles []trouble) (met *trouble, cut bool) {
	for i, one := range troubles {
		if s.began.Before(one.ended) && one.began.Before(s.ended) {
			return &troubles[i], one.cut != "" && one.cut == s.from
		}
	}
	return nil, false
}

// concerns says whether a trouble is about the shard of a request's cart or the datacenter of its client.
func (m *market) concerns(one *trouble, s sample) bool {
	return one.cut == s.from || slices.ContainsFunc(one.shards, func(id topology.ShardID) bool { return m.routed.world.HomeOf(id) == s.home })
}

func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}
