package devmongos_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/shirou/gopsutil/v4/process"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/internal/testkit"
)

// The benchmarks compare two ways to the same documents in one run, in turns, because everything runs on one machine
// and its load changes: only the ratio has a meaning beyond this machine.
//
//	go test ./internal/devmongos -run '^$' -bench . -benchtime 3s

const (
	benchDocuments = 10_000
	// turn is how long one path is measured before the other has its turn.
	turn = 250 * time.Millisecond
)

// A path is one way to the documents: a collection for every document's number.
type path struct {
	name string
	coll func(k int) *mongo.Collection
}

// A bench is a running cluster with a filled collection and the two paths to it.
type bench struct {
	cluster        *testCluster
	router, direct path
}

// startBench shards a collection by k over three shards and fills it. The direct path knows, as a router does, which
// shard has which k.
func startBench(b *testing.B, clients uint64) bench {
	b.Helper()
	ctx := b.Context()
	c := startCluster(b)
	must := func(command bson.D) {
		b.Helper()
		if err := c.admin(ctx, command); err != nil {
			b.Fatalf("%s: %v", text(command), err)
		}
	}
	must(d("balancerStop", 1))
	must(d("enableSharding", "bench"))
	bounds := between("k", bson.MinKey{}, int32(benchDocuments/3), int32(2*benchDocuments/3), bson.MaxKey{})
	for i, s := range c.shards {
		must(d("addShardToZone", s, "zone", zoneName(i)))
		must(d("updateZoneKeyRange", "bench.things", "min", bounds[i][0], "max", bounds[i][1], "zone", zoneName(i)))
	}
	must(d("shardCollection", "bench.things", "key", d("k", 1)))
	c.checkSpread(ctx, b, "bench.things")

	uri, err := c.URI(place)
	if err != nil {
		b.Fatal(err)
	}
	through := connectWith(b, options.Client().ApplyURI(uri).SetMaxPoolSize(clients))
	var docs []any
	for k := range benchDocuments {
		docs = append(docs, d("_id", k, "k", int32(k), "n", 0, "text", "some bytes for a document of common size, which is neither empty nor large"))
	}
	// Stated on both sides: the router adds the cluster's default, w: majority, where a direct client would get w: 1.
	asked := options.Collection().SetWriteConcern(writeconcern.Majority()).SetReadConcern(readconcern.Local())
	coll := through.Database("bench").Collection("things", asked)
	if _, err := coll.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false)); err != nil {
		b.Fatal(err)
	}
	var shards []*mongo.Collection
	for _, s := range c.shards {
		direct := connectWith(b, options.Client().ApplyURI(c.directURI(ctx, b, s)).SetMaxPoolSize(clients))
		shards = append(shards, direct.Database("bench").Collection("things", asked))
	}
	return bench{
		cluster: c,
		router:  path{"router", func(int) *mongo.Collection { return coll }},
		direct: path{"direct", func(k int) *mongo.Collection {
			switch {
			case k < benchDocuments/3:
				return shards[0]
			case k < 2*benchDocuments/3:
				return shards[1]
			}
			return shards[2]
		}},
	}
}

func pointRead(ctx context.Context, p path, k int) error {
	return p.coll(k).FindOne(ctx, d("k", int32(k))).Err()
}

func pointWrite(ctx context.Context, p path, k int) error {
	r, err := p.coll(k).UpdateOne(ctx, d("k", int32(k)), d("$inc", d("n", 1)))
	if err == nil && r.MatchedCount != 1 {
		return fmt.Errorf("update of k %d through %s matched %d documents", k, p.name, r.MatchedCount)
	}
	return err
}

type pointOperation func(ctx context.Context, p path, k int) error

// A tally is what was measured on one path.
type tally struct {
	mu     sync.Mutex // guards following
	times  *hdrhistogram.Histogram
	errors []error
	spent  time.Duration
}

func newTally() *tally { return &tally{times: hdrhistogram.New(1, time.Minute.Microseconds(), 3)} }

func (t *tally) perSecond() float64 { return float64(t.times.TotalCount()) / t.spent.Seconds() }

func (t *tally) at(percentile float64) float64 {
	return float64(t.times.ValueAtQuantile(percentile)) / 1000
}

// during lets that many clients run the operation for a while.
func (t *tally) during(ctx context.Context, clients int, length time.Duration, p path, operation pointOperation) {
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	began := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			random, own := newChance(uint64(i)), hdrhistogram.New(1, time.Minute.Microseconds(), 3)
			var failures []error
			for time.Since(began) < length {
				start := time.Now()
				if err := operation(ctx, p, random.IntN(benchDocuments)); err != nil {
					failures = append(failures, err)
					continue
				}
				_ = own.RecordValue(max(1, time.Since(start).Microseconds()))
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			t.times.Merge(own)
			t.errors = append(t.errors, failures...)
		})
	}
	all.Wait()
	t.spent += time.Since(began)
}

// BenchmarkPoint measures point reads and writes through the router and directly at the shard, in turns.
func BenchmarkPoint(b *testing.B) {
	s := startBench(b, 64)
	const head = "| operation | clients | direct/router | direct ops/s | router ops/s | direct p50 ms | router p50 ms | direct p99 ms | router p99 ms |"
	for _, kind := range []struct {
		name      string
		operation pointOperation
	}{{"read", pointRead}, {"write", pointWrite}} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/clients=%d", kind.name, clients), func(b *testing.B) {
				router, direct := newTally(), newTally()
				warm := newTally()
				warm.during(b.Context(), clients, turn, s.router, kind.operation)
				warm.during(b.Context(), clients, turn, s.direct, kind.operation)
				b.ResetTimer()
				for b.Loop() {
					direct.during(b.Context(), clients, turn, s.direct, kind.operation)
					router.during(b.Context(), clients, turn, s.router, kind.operation)
				}
				failOn(b, router, direct)
				ratio := direct.perSecond() / router.perSecond()
				b.ReportMetric(ratio, "direct/router")
				b.ReportMetric(router.perSecond(), "router-ops/s")
				b.ReportMetric(direct.perSecond(), "direct-ops/s")
				b.ReportMetric(router.at(50), "router-p50-ms")
				b.ReportMetric(direct.at(50), "direct-p50-ms")
				b.Log(rows(head, []string{fmt.Sprintf("| point %s | %d | %.2f | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |", kind.name, clients, ratio,
					direct.perSecond(), router.perSecond(), direct.at(50), router.at(50), direct.at(99), router.at(99))}))
			})
		}
	}
}

func failOn(b *testing.B, tallies ...*tally) {
	b.Helper()
	for _, t := range tallies {
		if len(t.errors) > 0 {
			b.Fatalf("%d errors, the first: %v", len(t.errors), t.errors[0])
		}
	}
}

// BenchmarkClients500 lets 500 clients with a connection each read and write (9 to 1) through the router at once.
func BenchmarkClients500(b *testing.B) {
	const clients = 500
	s := startBench(b, clients)
	mixed := func(ctx context.Context, p path, k int) error {
		if k%10 == 0 {
			return pointWrite(ctx, p, k)
		}
		return pointRead(ctx, p, k)
	}
	newTally().during(b.Context(), clients, turn, s.router, mixed)
	all := newTally()
	b.ResetTimer()
	for b.Loop() {
		all.during(b.Context(), clients, 4*turn, s.router, mixed)
	}
	failOn(b, all)
	b.ReportMetric(all.perSecond(), "ops/s")
	b.ReportMetric(all.at(50), "p50-ms")
	b.ReportMetric(all.at(99), "p99-ms")
	b.ReportMetric(float64(len(all.errors)), "errors")
	b.Log(rows("| clients | ops/s | p50 ms | p99 ms | errors |", []string{fmt.Sprintf("| %d | %.0f | %.1f | %.1f | %d |", clients, all.perSecond(), all.at(50), all.at(99), len(all.errors))}))
}

// BenchmarkConnectionMemory measures what 500 idle client connections cost the router's process.
func BenchmarkConnectionMemory(b *testing.B) {
	const clients = 500
	ctx := b.Context()
	c := startCluster(b)
	address := c.address(b)
	router := c.routerProcess(ctx, b)
	// A small first round lets the router's runtime take what it keeps anyway.
	c.idle(ctx, b, address, 20, 20)
	before, opened := resident(b, router), 0
	for b.Loop() {
		// All stay open: closed ones would leave their memory to the next.
		opened += clients
		c.idle(ctx, b, address, clients, uint64(20+opened))
	}
	after := resident(b, router)
	perConnection := float64(after-before) / float64(opened) / 1024
	b.ReportMetric(perConnection, "KiB/connection")
	b.ReportMetric(float64(after)/(1<<20), "router-MiB")
	b.Log(rows("| idle connections | router RSS before MiB | with them MiB | KiB per connection |",
		[]string{fmt.Sprintf("| %d | %.1f | %.1f | %.1f |", opened, float64(before)/(1<<20), float64(after)/(1<<20), perConnection)}))
}

// idle opens that many connections, each of which has been answered one ping, and leaves them idle until the end of the
// benchmark. They are opened by hand: a driver's pool opens as many as it likes.
func (c *testCluster) idle(ctx context.Context, b *testing.B, address string, clients int, total uint64) {
	b.Helper()
	for range clients {
		l := dial(b, address)
		l.ask(b, d("ping", 1, "$db", "admin"))
	}
	c.awaitConnections(ctx, b, total)
}

// awaitConnections waits until the router counts that many connections.
func (c *testCluster) awaitConnections(ctx context.Context, b *testing.B, atLeast uint64) {
	b.Helper()
	testkit.EventuallyNil(b, testkit.Patience, "the router counts the connections", func(context.Context) error {
		var status struct {
			Connections struct{ Current uint64 }
		}
		err := c.client.Database("admin").RunCommand(ctx, d("serverStatus", 1)).Decode(&status)
		if err == nil && status.Connections.Current < atLeast {
			err = fmt.Errorf("%d connections, want %d", status.Connections.Current, atLeast)
		}
		return err
	})
}

// routerProcess is the process of the query router.
func (c *testCluster) routerProcess(ctx context.Context, b *testing.B) *process.Process {
	b.Helper()
	status, err := c.Status(ctx)
	if err != nil {
		b.Fatal(err)
	}
	m, ok := status.Member("router/" + string(place))
	if !ok || m.PID == 0 || m.PID == os.Getpid() {
		b.Fatalf("no process of the router: %+v", m)
	}
	p, err := process.NewProcess(int32(m.PID))
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func resident(b *testing.B, p *process.Process) int64 {
	b.Helper()
	m, err := p.MemoryInfo()
	if err != nil {
		b.Fatal(err)
	}
	return int64(m.RSS)
}

// rows is a table for docs/results.
func rows(head string, lines []string) string {
	out, rule := "\n"+head+"\n", ""
	for _, r := range head {
		if r == '|' {
			rule += "|---"
		}
	}
	out += rule[:len(rule)-3] + "\n"
	for _, l := range lines {
		out += l + "\n"
	}
	return out
}
