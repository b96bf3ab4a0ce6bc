package local_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// The limits that the reference cluster has to keep on two cores with the binaries cached.
const (
	startLimit  = 15 * time.Second
	stopLimit   = 5 * time.Second
	memoryLimit = 2.5 * (1 << 30)
)

// TestReferenceCluster measures one nyc-lon-syd cluster from start to stop. How long it may take to start and to stop is asked by a soak, which
// has twice the limit for other packages that run; an ordinary run says the times.
func TestReferenceCluster(t *testing.T) {
	began := time.Now()
	c := start(t, local.Options{Name: "reference", Topology: local.Preset(t, "nyc-lon-syd"), OplogSizeMB: 128})
	took := time.Since(began)
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !status.PrimariesAtHome() {
		t.Error("started, but not all primaries are at home")
	}
	rss, pss := memory(t, status)
	t.Logf("start %.2f s; limit of a soak: %s", took.Seconds(), 2*startLimit)
	t.Logf("%d processes and the supervisor: RSS %.0f MB, PSS %.0f MB; limit: RSS %.0f MB", len(status.Members), rss/(1<<20), pss/(1<<20), memoryLimit/(1<<20))
	if testkit.Soak() && took > 2*startLimit {
		t.Errorf("started in %s, want at most %s", took, 2*startLimit)
	}
	used := rss
	if raceDetector {
		used = pss // with the detector's own memory in it, the sum of what is resident says little
	}
	if used > memoryLimit {
		t.Errorf("got %.0f bytes of memory, want at most %.0f", used, float64(memoryLimit))
	}

	t.Run("write latencies", func(t *testing.T) { writeLatencies(t, c) })
	t.Run("distances", func(t *testing.T) { distances(t, c, status) })
	t.Run("lags", func(t *testing.T) { lags(t, c) })
	t.Run("attached", func(t *testing.T) { attached(t, c) })

	began = time.Now()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
	took = time.Since(began)
	t.Logf("stop %.2f s; limit of a soak: %s", took.Seconds(), 2*stopLimit)
	if testkit.Soak() && took > 2*stopLimit {
		t.Errorf("stopped in %s, want at most %s", took, 2*stopLimit)
	}
}

// memory adds up all processes of the cluster and this one: resident, and with shared pages counted once.
func memory(t *testing.T, s cluster.Status) (rss, pss float64) {
	t.Helper()
	pids := []int{os.Getpid()}
	for _, m := range s.Members {
		pids = append(pids, m.PID)
	}
	for _, pid := range pids {
		p, err := process.NewProcess(int32(pid))
		if err != nil {
			t.Fatal(err)
		}
		info, err := p.MemoryInfo()
		if err != nil {
			t.Fatal(err)
		}
		rss += float64(info.RSS)
		pss += proportional(t, p)
	}
	return rss, pss
}

// A latencyBand is what a write with one concern may cost, in round trips to the nearest other datacenter.
//
// The median is held between lo and hi by a soak, in medians of the pings that went over the same link in turn with the writes. On a busy machine a median
// says how busy it is all the same; so the least of the writes is held between lo and leastHi always, with what a journaled write costs at home on top. A network
// without delay (0) or with twice the delay (see leastHi) still fails.
type latencyBand struct {
	name            string
	w               any
	lo, hi, leastHi float64
}

var latencyBands = []latencyBand{
	// Nothing leaves the datacenter; 0.2 round trips are 15 ms between New York and London.
	{"w:1", 1, 0, 0.2, 0.2},
	// The entry goes there in half a round trip and the acknowledgement comes back in another half: 1 at least, less the 5 % by which
	// the links may be off. A secondary has one report under way at a time, so an acknowledgement may first have to wait for the
	// answer to the one before: up to 1 more. At twice the delay the least of all is 2.
	{layout.MultiDatacenter, layout.MultiDatacenter, 0.95, 2.1, 1.9},
	// A majority counts what is journaled. A secondary reports "applied" and then "journaled", the second when the first has been answered:
	// 2. It is less when the journal was quick enough for the first report, or a third datacenter little further away (New York and
	// London, seen from Sydney) was in the right moment of its own turn: medians of 1.5 and single writes of 1.2 have been seen, 1 is the
	// physical bound. At twice the delay the median is 3 to 4, and single writes cost at least twice those 1.2.
	{"majority", "majority", 1.4, 2.3, 2.3},
}

// writeLatencies checks what a write costs from its home datacenter, directly and through the query router. The shards take turns by two: their writes mostly wait.
func writeLatencies(t *testing.T, c *local.Cluster) {
	testkit.Measures(t)
	for _, shard := range c.Topology().Shards {
		t.Run(string(shard.ID), func(t *testing.T) {
			t.Parallel()
			shardLatencies(t, c, shard)
		})
	}
}

func shardLatencies(t *testing.T, c *local.Cluster, shard topology.Shard) {
	const writes = 12
	home := c.Topology().HomeOf(shard.ID)
	near := nearest(c.Topology(), home)
	rtt := c.Topology().RTT(home, near)
	there, err := c.MemberURI(string(shard.ID) + "/" + string(near))
	if err != nil {
		t.Fatal(err)
	}
	var pinged *mongo.Client
	if testkit.Soak() {
		pinged = dialFrom(t, c, home, there)
	}
	for path, collection := range map[string]*mongo.Collection{
		"direct": directCollection(t, c, shard, home), "router": routedCollection(t, c, shard.ID, home),
	} {
		// What a journaled write costs at home is the machine's part, which a write that waits for others pays with them too: a few milliseconds, and tens of them on busy cores.
		journaled := true
		atHome, _ := timeWrites(t, collection, writeconcern.WriteConcern{W: 1, Journal: &journaled}, writes, nil)
		machine := ms(atHome[len(atHome)/2]) / ms(rtt)
		t.Logf("%s %-6s journaled       n %d  median %.2f round trips of %s", shard.ID, path, writes, machine, rtt)
		for _, band := range latencyBands {
			times, pings := timeWrites(t, collection, writeconcern.WriteConcern{W: band.w}, writes, pinged)
			lo, hi := min(band.lo, 0.95), band.leastHi
			if band.lo > 0 {
				hi += machine
			}
			least := ms(times[0]) / ms(rtt)
			t.Logf("%s %-6s %-15s n %d  least %.2f round trips of %s; limit: %.2f to %.2f", shard.ID, path, band.name, writes, least, rtt, lo, hi)
			if least < lo || least > hi {
				t.Errorf("%s %s %s: got a least of %.2f round trips, want %.2f to %.2f", shard.ID, path, band.name, least, lo, hi)
			}
			if pinged == nil {
				continue
			}
			median := ms(times[len(times)/2]) / ms(pings[len(pings)/2])
			t.Logf("%s %-6s %-15s median %.2f pings of %s; limit: %.2f to %.2f", shard.ID, path, band.name, median, pings[len(pings)/2].Round(time.Millisecond), band.lo, band.hi)
			if median < band.lo || median > band.hi {
				t.Errorf("%s %s %s: got a median of %.2f pings, want %.2f to %.2f", shard.ID, path, band.name, median, band.lo, band.hi)
			}
		}
	}
}

// nearest is the datacenter with the shortest way from home.
func nearest(world *topology.Topology, home topology.DatacenterID) (near topology.DatacenterID) {
	for _, dc := range world.Datacenters {
		if dc.ID != home && (near == "" || world.RTT(home, dc.ID) < world.RTT(home, near)) {
			near = dc.ID
		}
	}
	return near
}

func directCollection(t *testing.T, c *local.Cluster, shard topology.Shard, home topology.DatacenterID) *mongo.Collection {
	t.Helper()
	uri, err := c.MemberURI(string(shard.ID) + "/" + string(home))
	if err != nil {
		t.Fatal(err)
	}
	return dialFrom(t, c, home, uri).Database("latency").Collection("direct")
}

// routedCollection is an unsharded collection that lives on the shard.
func routedCollection(t *testing.T, c *local.Cluster, shard topology.ShardID, home topology.DatacenterID) *mongo.Collection {
	t.Helper()
	uri, err := c.URI(home)
	if err != nil {
		t.Fatal(err)
	}
	client := connect(t, options.Client().ApplyURI(uri))
	db := "latency_" + string(shard)
	err = client.Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "enableSharding", Value: db}, {Key: "primaryShard", Value: string(shard)},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}
	return client.Database(db).Collection("routed")
}

// timeWrites times writes and, in turn with them, pings of another server, if there is one.
func timeWrites(t *testing.T, collection *mongo.Collection, concern writeconcern.WriteConcern, n int, pinged *mongo.Client) (times, pings []time.Duration) {
	t.Helper()
	collection = collection.Database().Collection(collection.Name(), options.Collection().SetWriteConcern(&concern))
	for i := range n + 2 { // the first two make the collection and warm the connection
		began := time.Now()
		if _, err := collection.InsertOne(t.Context(), bson.D{{Key: "n", Value: i}}); err != nil {
			t.Fatal(err)
		}
		written := time.Since(began)
		began = time.Now()
		if pinged != nil {
			if err := pinged.Ping(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if i >= 2 {
			times, pings = append(times, written), append(pings, time.Since(began))
		}
	}
	slices.Sort(times)
	slices.Sort(pings)
	return times, pings
}

func dialFrom(t *testing.T, c *local.Cluster, dc topology.DatacenterID, uri string) *mongo.Client {
	t.Helper()
	dialer, err := c.Dialer(dc)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, options.Client().ApplyURI(uri).SetDialer(dialer))
}

func connect(t *testing.T, o *options.ClientOptions) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
