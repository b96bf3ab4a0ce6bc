package consistency_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// quick are the settings of geoshard's own clusters, but for the spread of sets with several
// rivals.
var quick = consistency.Elections{Timeout: 2 * time.Second, Heartbeat: 500 * time.Millisecond}

// everybody gives all members with data a priority.
func everybody(world *topology.Topology) *topology.Topology {
	for _, shard := range world.Shards {
		for i, m := range shard.Members {
			if m.Priority == 0 && !world.Arbiter(m) {
				shard.Members[i].Priority = 1
			}
		}
	}
	return world
}

// What was measured before there was a forecast (docs/results/failover.md), on machines with a load
// of 15 to 90 or none. The shares above 5 s are those that the measured ones leave possible: their
// interval of 95 % (Wilson).
func TestOutagesAreWhatWasMeasured(t *testing.T) {
	spread := func(s float64) consistency.Elections {
		return consistency.Elections{Timeout: 2 * time.Second, Spread: s}
	}
	for _, c := range []struct {
		what            string
		world           *topology.Topology
		settings        consistency.Elections
		median          time.Duration
		slow, of        int
		leastMedian     float64 // of the measured one, for the machine was busy
		mostMedianRatio float64
	}{
		{"everybody stands", everybody(preset(t, "nyc-lon-syd")), spread(0.15), 4730 * time.Millisecond, 24, 52, 0.6, 1.15},
		{"as laid out", preset(t, "nyc-lon-syd"), spread(0.15), 3160 * time.Millisecond, 0, 52, 0.85, 1.15},
		{"as laid out", preset(t, "ogilvy"), spread(0.15), 2410 * time.Millisecond, 0, 51, 0.85, 1.15},
		{"as laid out", preset(t, "ebay"), spread(0.15), 2330 * time.Millisecond, 0, 52, 0.85, 1.15},
		{"as laid out", preset(t, "yougov"), spread(0.6), 2560 * time.Millisecond, 0, 51, 0.85, 1.15},
		{"as laid out, on a machine at rest", preset(t, "us-east-west"), spread(0.6), 2570 * time.Millisecond, 1, 51, 0.85, 1.15},
	} {
		var all consistency.Distribution
		for _, o := range consistency.Outages(c.world, c.settings, 1) {
			if o.Failure == consistency.PrimaryKilled {
				all = append(all, o.Fast...)
			}
		}
		slices.Sort(all)
		least, most := testkit.Wilson(c.slow, c.of)
		got, share := all.At(0.5), all.Above(5*time.Second)
		ratio := got.Seconds() / c.median.Seconds()
		t.Logf("%s %v: median %.2f s, measured %.2f s; above 5 s %.3f, measured %d of %d (%.3f to %.3f)", c.what, c.settings.Spread, got.Seconds(), c.median.Seconds(), share, c.slow, c.of, least, most)
		if ratio < c.leastMedian || ratio > c.mostMedianRatio {
			t.Errorf("%s: got a median of %s, measured %s", c.what, got, c.median)
		}
		if share < least || share > most {
			t.Errorf("%s: got %.3f above 5 s, want %.3f to %.3f, for %d of %d were measured", c.what, share, least, most, c.slow, c.of)
		}
	}
}

// A world of three to five members, each in a datacenter of its own.
func drawnWorld(t *rapid.T) *topology.Topology {
	n := rapid.SampledFrom([]int{3, 4, 5}).Draw(t, "members")
	world := &topology.Topology{Shards: []topology.Shard{{ID: "s"}}}
	for i := range n {
		dc := topology.DatacenterID(fmt.Sprint("D", i))
		world.Datacenters = append(world.Datacenters, topology.Datacenter{ID: dc})
		priority := float64(n - i)
		if i > 1 && rapid.Bool().Draw(t, "never primary") {
			priority = 0
		}
		world.Shards[0].Members = append(world.Shards[0].Members, topology.Member{DC: dc, Priority: priority})
		for j := range i {
			rtt := time.Duration(rapid.IntRange(1, 300).Draw(t, "rtt")) * time.Millisecond
			world.Links = append(world.Links, topology.Link{Between: [2]topology.DatacenterID{world.Datacenters[j].ID, dc}, RTT: rtt})
		}
	}
	return world
}

func drawnSettings(t *rapid.T) consistency.Elections {
	return consistency.Elections{
		Timeout: time.Duration(rapid.IntRange(10, 100).Draw(t, "timeout")) * 100 * time.Millisecond, Heartbeat: time.Duration(rapid.IntRange(1, 20).Draw(t, "heartbeat")) * 100 * time.Millisecond,
		Spread: rapid.SampledFrom([]float64{0.15, 0.3, 0.6, 1}).Draw(t, "spread"),
	}
}

// Who asks twice gets the same; nothing is over before the timeout; nobody alone splits a vote; the
// second copy comes after the first.
func TestOutageProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world, settings, seed := drawnWorld(t), drawnSettings(t), rapid.Uint64().Draw(t, "seed")
		candidates := 0
		for _, m := range world.Shards[0].Members[1:] {
			if m.Priority > 0 {
				candidates++
			}
		}
		one, other := consistency.FewOutagesForTest(world, settings, seed), consistency.FewOutagesForTest(world, settings, seed)
		if !slices.EqualFunc(one, other, func(a, b consistency.Outage) bool {
			return slices.Equal(a.Fast, b.Fast) && slices.Equal(a.Lasting, b.Lasting)
		}) {
			t.Fatal("two forecasts with one seed differ")
		}
		for _, o := range one {
			f := o.Failure
			switch {
			case o.Fast == nil:
				t.Fatalf("%s: nobody is elected, though one member is lost and a candidate is left", f)
			case o.Fast[0] < settings.Timeout:
				t.Errorf("%s: somebody is elected after %s, before the timeout of %s", f, o.Fast[0], settings.Timeout)
			case candidates == 1 && f == consistency.PrimaryKilled && o.Split > 0:
				t.Errorf("%s: one candidate splits %v of the votes", f, o.Split)
			case o.Lasting[0] < o.Fast[0] || o.Lasting.At(0.5) < o.Fast.At(0.5):
				t.Errorf("%s: a second datacenter acknowledges before the first one", f)
			}
		}
	})
}

// Where one member may succeed the primary, longer ways never make the median shorter.
func TestLongerWaysAreNeverQuicker(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world, settings := drawnWorld(t), drawnSettings(t)
		for i := range world.Shards[0].Members[2:] {
			world.Shards[0].Members[i+2].Priority = 0
		}
		before := consistency.FewOutagesForTest(world, settings, 1)[0].Fast.At(0.5)
		longer := rapid.Float64Range(1, 10).Draw(t, "times") // all of them: of some alone members may choose others to copy from
		for i, l := range world.Links {
			world.Links[i].RTT = time.Duration(longer * float64(l.RTT))
		}
		if after := consistency.FewOutagesForTest(world, settings, 1)[0].Fast.At(0.5); after < before {
			t.Errorf("all ways are %.2f times as long, and the median went from %s to %s", longer, before, after)
		}
	})
}

// Without a majority, or without a candidate, there is no primary.
func TestNobodyIsElectedWithoutAMajority(t *testing.T) {
	two := topology.Shard{ID: "two", Members: []topology.Member{{DC: "NYC", Priority: 2}, {DC: "LON", Priority: 1}}}
	home := topology.Shard{ID: "home", Members: []topology.Member{{DC: "NYC", Priority: 3}, {DC: "NYC", Priority: 2}, {DC: "LON", Priority: 1}}}
	none := topology.Shard{ID: "none", Members: []topology.Member{{DC: "NYC", Priority: 3}, {DC: "LON"}, {DC: "SYD"}}}
	world := preset(t, "nyc-lon-syd")
	for _, c := range []struct {
		shard   topology.Shard
		failure consistency.Failure
		never   bool
	}{
		{two, consistency.PrimaryKilled, true}, {home, consistency.PrimaryKilled, false}, {home, consistency.DatacenterLost, true},
		{home, consistency.DatacenterCut, true}, {none, consistency.PrimaryKilled, true},
	} {
		o := consistency.OutageOf(world, c.shard, c.failure, quick, 1)
		if never := o.Fast == nil; never != c.never {
			t.Errorf("%s, %s: never a primary = %v, want %v", c.shard.ID, c.failure, never, c.never)
		}
	}
}

// Found by measuring: with MongoDB's heartbeats of 2 s and an election timeout of 2 s, whoever is
// elected after a cut steps down before it takes a write, again and again; and a candidate that is
// farther from the home than another voter is refused.
func TestCutsNeedHeartbeatsAndNearCandidates(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	shard := func(near, far float64) topology.Shard { // at home in New York
		return topology.Shard{ID: "nyc", Members: []topology.Member{{DC: "NYC", Priority: 10}, {DC: "LON", Priority: near}, {DC: "SYD", Priority: far}}}
	}
	rare := quick
	rare.Heartbeat = 2 * time.Second
	for _, c := range []struct {
		what        string
		near, far   float64
		settings    consistency.Elections
		least, most time.Duration
	}{
		{"near candidate, frequent heartbeats", 5, 0, quick, 4500 * time.Millisecond, 5500 * time.Millisecond},
		{"near candidate, rare heartbeats", 5, 0, rare, 13 * time.Second, 22 * time.Second},
		{"far candidate", 0, 5, quick, 13 * time.Second, 22 * time.Second},
	} {
		if got := consistency.OutageOf(world, shard(c.near, c.far), consistency.DatacenterCut, c.settings, 1).Fast.At(0.5); got < c.least || got > c.most {
			t.Errorf("%s: got a median of %s, want %s to %s", c.what, got, c.least, c.most)
		}
	}
}

// A silence begins an election the likelier the longer it is, and the less likely the longer the
// timeout.
func TestFalseElections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, rtt := drawnSettings(t), time.Duration(rapid.IntRange(0, 300).Draw(t, "rtt"))*time.Millisecond
		last := 0.0
		for stall := time.Duration(0); stall <= 3*s.Timeout; stall += s.Timeout / 10 {
			p := consistency.FalseElection(s, rtt, stall)
			if p < last-1e-9 || p < -1e-9 || p > 1+1e-9 {
				t.Fatalf("a silence of %s has %v after %v", stall, p, last)
			}
			last = p
			longer := s
			longer.Timeout += time.Second
			if q := consistency.FalseElection(longer, rtt, stall); q > p+1e-9 {
				t.Fatalf("a silence of %s has %v with %s and %v with %s", stall, p, s.Timeout, q, longer.Timeout)
			}
		}
		if last < 1-1e-9 {
			t.Fatalf("a silence of three timeouts has %v, want 1", last)
		}
	})
	// Half a timeout of pause, and half of it is left: only a longer silence begins an election.
	if p := consistency.FalseElection(quick, 0, time.Second); p != 0 {
		t.Errorf("a silence of 1 s has %v with a timeout of 2 s and heartbeats every 0.5 s, want 0", p)
	}
}

// Advice bears the risk, is never worse than what there is, and prefers the candidate that is near
// the home.
func TestAdvice(t *testing.T) {
	for _, name := range configs.Names() {
		world := preset(t, name)
		for _, shard := range world.Shards {
			a := consistency.Advise(world, shard, consistency.Elections{}, consistency.DefaultRisk, 1)
			if a.Then > a.Now || a.Risk > consistency.DefaultRisk.Chance {
				t.Errorf("%s/%s: from %s to %s at a risk of %v", name, shard.ID, a.Now, a.Then, a.Risk)
			}
			patient := consistency.Advise(world, shard, consistency.Elections{}, consistency.Risk{Stall: 5 * time.Second, Chance: 0.01}, 1)
			if patient.Settings.Timeout < 5*time.Second {
				t.Errorf("%s/%s: a timeout of %s bears no silence of 5 s", name, shard.ID, patient.Settings.Timeout)
			}
		}
	}
	far := topology.Shard{ID: "far", Members: []topology.Member{{DC: "NYC", Priority: 10}, {DC: "LON"}, {DC: "SYD", Priority: 5}}}
	a := consistency.Advise(preset(t, "nyc-lon-syd"), far, quick, consistency.DefaultRisk, 1)
	if a.Members[1].Priority != 5 || a.Members[2].Priority != 0 || !slices.Equal(a.Changed, []int{1, 2}) {
		t.Errorf("got %v, want London to succeed New York", a.Members)
	}
}

// Requests are held as long as nearly all failures last, and longer where elections take longer.
func TestBudget(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	for timeout, want := range map[time.Duration]time.Duration{0: 27 * time.Second, 10 * time.Second: 27 * time.Second, 2 * time.Second: 16 * time.Second} {
		if got := consistency.Budget(world, timeout); got != want {
			t.Errorf("election timeout %s: got %s, want %s", timeout, got, want)
		}
	}
	world.Shards = []topology.Shard{{ID: "two", Members: []topology.Member{{DC: "NYC", Priority: 2}, {DC: "LON", Priority: 1}}}}
	if got := consistency.Budget(world, 3*time.Second); got != 6*time.Second {
		t.Errorf("nobody is ever elected: got %s, want twice the timeout", got)
	}
}
