package consistency_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

func find(t *testing.T, estimates []consistency.Estimate, dc topology.DatacenterID, shard topology.ShardID) consistency.Estimate {
	t.Helper()
	for _, e := range estimates {
		if e.Datacenter == dc && e.Shard == shard {
			return e
		}
	}
	t.Fatalf("no estimate for %s in %s", shard, dc)
	return consistency.Estimate{}
}

func TestForecastOfReads(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	local := consistency.Model60.Operation
	for _, c := range []struct {
		profile string
		from    topology.DatacenterID
		shard   topology.ShardID
		want    time.Duration
	}{
		{"local-fast", "SYD", "nyc", local},
		{"session", "LON", "syd", local},
		{"analytics", "NYC", "nyc", local}, // the primary, for want of a secondary
		{"analytics", "NYC", "syd", local},
		{"durable", "NYC", "nyc", local},
		{"durable", "LON", "syd", 265*time.Millisecond + local},
		{"multi-datacenter", "SYD", "nyc", 200*time.Millisecond + local},
	} {
		if got := find(t, consistency.Forecast(lookup(t, c.profile), world, consistency.Model60, nil), c.from, c.shard).Read.Median; got != c.want {
			t.Errorf("%s of %s from %s: got %s, want %s", c.profile, c.shard, c.from, got, c.want)
		}
	}
	strict := consistency.Forecast(lookup(t, "strict"), world, consistency.Model60, nil)
	if home := find(t, strict, "NYC", "nyc"); *home.Read != *home.Write {
		t.Errorf("a linearizable read waits as a majority write does: got %v and %v", *home.Read, *home.Write)
	}
	snapshot := find(t, consistency.Forecast(lookup(t, "snapshot"), world, consistency.Model60, nil), "LON", "syd")
	// The no-op's way to Sydney and back, a majority of it, and half of the journal's interval.
	if noop := find(t, strict, "SYD", "syd").Read; snapshot.Read.Least != local || (snapshot.Read.Median-(265+50)*time.Millisecond-noop.Median).Abs() > 3*time.Millisecond {
		t.Errorf("a snapshot read is local where nothing is new, and waits for a majority at the primary otherwise: got %v and %v", *snapshot.Read, *noop)
	}
}

// A member that copies from another one costs that one's way as well, and what it reports goes through it.
func TestForecastFollowsWhoCopiesFromWhom(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	shard, _ := world.Shard("syd")
	number := map[topology.DatacenterID]int{}
	for i, m := range shard.Members {
		number[m.DC] = i
	}
	sources := []int{consistency.FromPrimary, consistency.FromPrimary, consistency.FromPrimary}
	medians := func(profile string) (write time.Duration, snapshot time.Duration) {
		e := find(t, consistency.Forecast(lookup(t, profile), world, consistency.Model{}, consistency.Sources{"syd": sources}), "SYD", "syd")
		far := find(t, consistency.Forecast(lookup(t, "snapshot"), world, consistency.Model{}, consistency.Sources{"syd": sources}), "NYC", "syd")
		return e.Write.Median, far.Read.Median
	}
	// Alone New York is the nearer one: 200 ms. Behind London a majority is London, 265 ms, whose first report says applied and whose second one journaled.
	if write, snapshot := medians("durable"); write != 400*time.Millisecond || snapshot != 650*time.Millisecond {
		t.Errorf("all from the primary: got %s and %s", write, snapshot)
	}
	sources[number["NYC"]] = number["LON"]
	if write, snapshot := medians("durable"); write != 530*time.Millisecond || snapshot != 850500*time.Microsecond {
		t.Errorf("New York from London: got %s and %s", write, snapshot)
	}
	if write, _ := medians("multi-datacenter"); write != 265*time.Millisecond {
		t.Errorf("New York from London, two datacenters: got %s", write)
	}
	sources[number["LON"]] = number["NYC"] // nobody copies from the primary: nothing is ever acknowledged
	if e := find(t, consistency.Forecast(lookup(t, "durable"), world, consistency.Model60, consistency.Sources{"syd": sources}), "SYD", "syd"); e.Write != nil {
		t.Errorf("in a circle: got %v", *e.Write)
	}
}

// A model holds for the release that it was fitted on, and for no other.
func TestModelsAreKeyedByServerVersion(t *testing.T) {
	for version, want := range map[string]bool{"6.0": true, "6.0.5": true, "6.0.25": true, "6.1.0": false, "6.01": false, "60.0.1": false, "8.0.4": false, "": false} {
		model, known := consistency.ModelOf(version)
		if known != want || known && model != consistency.Model60 {
			t.Errorf("%q: got %+v, %v, want %v", version, model, known, want)
		}
	}
}

func TestForecastFollowsTheTags(t *testing.T) {
	world := awkwardWorld(t)
	read := func(r consistency.Read, from topology.DatacenterID, shard topology.ShardID) *consistency.Span {
		return find(t, consistency.Forecast(consistency.Profile{Read: r}, world, consistency.Model60, nil), from, shard).Read
	}
	op := consistency.Model60.Operation
	own := consistency.Read{Mode: readpref.NearestMode, OwnDatacenter: true}
	elsewhere, secondary := own, consistency.Read{Mode: readpref.SecondaryMode}
	elsewhere.Elsewhere = true
	if got := read(own, "SYD", "far"); got != nil {
		t.Errorf("nobody carries the tag: got %v, want no answer", got)
	}
	for name, c := range map[string]struct {
		got  *consistency.Span
		want time.Duration
	}{
		"elsewhere, nearest":       {read(elsewhere, "SYD", "far"), 200 * time.Millisecond},
		"own":                      {read(own, "LON", "far"), 0},
		"secondary from its place": {read(secondary, "LON", "far"), 0},
		"secondary from the home":  {read(secondary, "NYC", "far"), 76 * time.Millisecond},
		"primary preferred":        {read(consistency.Read{Mode: readpref.PrimaryPreferredMode}, "LON", "far"), 76 * time.Millisecond},
		"secondary preferred":      {read(consistency.Read{Mode: readpref.SecondaryPreferredMode, OwnDatacenter: true}, "SYD", "far"), 200 * time.Millisecond},
	} {
		if c.got == nil || c.got.Median != c.want+op {
			t.Errorf("%s: got %v, want %s", name, c.got, c.want+op)
		}
	}
}

func TestWritesThatAreNeverAcknowledgedHaveNoForecast(t *testing.T) {
	for name, w := range map[string]consistency.Write{"w above members": {Members: 4}, "datacenters": {Mode: consistency.MultiDatacenter}} {
		if got := find(t, consistency.Forecast(consistency.Profile{Write: w}, awkwardWorld(t), consistency.Model60, nil), "NYC", "one").Write; got != nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// Twice as far is twice as slow, and each further member makes a write slower: S2.37.
func TestLatencyRisesWithTheMembersThatAreWaitedFor(t *testing.T) {
	world := preset(t, "nyc-lon-syd")
	last := time.Duration(0)
	for n := 1; n <= 3; n++ {
		e := find(t, consistency.Forecast(consistency.Profile{Write: consistency.Write{Members: n}}, world, consistency.Model60, nil), "NYC", "nyc")
		t.Logf("w: %d: least %s, mean %s", n, e.Write.Least, e.Write.Mean)
		if e.Write.Least <= last {
			t.Errorf("w: %d takes %s, no more than w: %d", n, e.Write.Least, n-1)
		}
		last = e.Write.Least
	}
	if last < 200*time.Millisecond {
		t.Errorf("all three datacenters: got %s, less than the round trip to the furthest", last)
	}
}

// Whatever is written, and whatever a primary reads, has been there and back.
func TestNothingIsQuickerThanTheRoundTrip(t *testing.T) {
	n := 0
	for _, name := range []string{"nyc-lon-syd", "us-east-west", "ebay", "yougov", "ogilvy"} {
		world := preset(t, name)
		for _, p := range consistency.Named() {
			for _, e := range consistency.Forecast(p, world, consistency.Model60, nil) {
				there := world.RTT(e.Datacenter, e.Home)
				for what, s := range map[string]*consistency.Span{"write": e.Write, "read": e.Read} {
					if s == nil || what == "read" && p.Read.Concern != "linearizable" {
						continue
					}
					if n++; s.Least < there || s.Median < s.Least || s.Mean < s.Least || s.Most < max(s.Mean, s.Median) {
						t.Errorf("%s: %s %s of %s from %s, %s away: got %+v", name, p.Name, what, e.Shard, e.Datacenter, there, *s)
					}
				}
			}
		}
	}
	t.Logf("%d cells", n)
}
