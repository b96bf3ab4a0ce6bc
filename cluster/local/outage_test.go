package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// foreseenOutages holds the forecast of consistency.Outages against what is measured: medians, and
// shares above 5 s. It is for a soak: an ordinary run has one failure of each kind, on a cluster
// that is there anyway.
func foreseenOutages(t *testing.T) {
	for _, timeout := range []time.Duration{2 * time.Second, 10 * time.Second} {
		t.Run(timeout.String(), func(t *testing.T) {
			o := local.Options{Name: "outages", Topology: local.Preset(t, "nyc-lon-syd"), ElectionTimeout: timeout}
			w := watchOutages(t, clustertest.Own(t, o), timeout)
			for _, f := range consistency.Failures {
				count := map[consistency.Failure]int{consistency.PrimaryKilled: 100, consistency.DatacenterLost: 21, consistency.DatacenterCut: 21}[f]
				t.Run(strings.ReplaceAll(f.String(), " ", "_"), func(t *testing.T) {
					count := testkit.Count(t, f.String(), 1, count)
					var all []measured
					for n := 0; len(all) < count; n++ {
						all = append(all, w.fail(t, f, w.homes[n%len(w.homes)])...)
					}
					w.compare(t, f, all)
				})
			}
		})
	}
}

// A measured outage is one of a shard: from the failure to the first acknowledged write, with w: 1
// and by two datacenters.
type measured struct {
	Shard         string
	Fast, Lasting time.Duration
}

func (m measured) String() string {
	return fmt.Sprintf("%-4s w: 1 after %.2f s, two datacenters after %.2f s", m.Shard, m.Fast.Seconds(), m.Lasting.Seconds())
}

// outages are measured on one cluster.
type outages struct {
	c       *local.Cluster
	timeout time.Duration
	random  *rand.Rand
	sets    map[string]*set
	homes   []topology.DatacenterID // of the shards
	left    map[string]*mongo.Client
}

// askWithin bounds one question to one member: one that was started again a moment ago may take
// long, and it is another's turn.
const askWithin = 500 * time.Millisecond

func watchOutages(t *testing.T, c *local.Cluster, timeout time.Duration) *outages {
	w := &outages{c: c, timeout: timeout, random: rand.New(rand.NewPCG(testkit.Seed(t), 2)), sets: map[string]*set{}, left: map[string]*mongo.Client{}}
	for _, shard := range c.Topology().Shards {
		w.sets[string(shard.ID)] = connectSet(t, c, string(shard.ID), false)
		w.homes = append(w.homes, c.Topology().HomeOf(shard.ID))
	}
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Members {
		if m.Shard == "" {
			continue
		}
		client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + m.Host + "/?directConnection=true").SetServerSelectionTimeout(askWithin))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
		w.left[m.Name] = client
	}
	return w
}

// fail makes one failure under a load of writes, measures the outages that it makes, and mends it.
// A primary is killed in all shards at once; a datacenter takes the shards that are at home in it.
func (w *outages) fail(t *testing.T, f consistency.Failure, dc topology.DatacenterID) []measured {
	t.Helper()
	status := clustertest.Await(t, w.c, "all members up, all primaries at home", func(s cluster.Status) bool { return s.Whole() && configAtHome(s) })
	var down []string
	var all []measured
	for _, m := range status.Members {
		switch {
		case f == consistency.DatacenterLost && m.Datacenter == dc, f == consistency.PrimaryKilled && m.Home && m.Shard != "":
			down = append(down, m.Name)
		}
		if m.Home && m.Shard != "" && (f == consistency.PrimaryKilled || m.Datacenter == dc) {
			all = append(all, measured{Shard: string(m.Shard)})
		}
	}
	stop := make(chan struct{})
	var writing, measuring sync.WaitGroup
	for _, m := range all {
		writing.Go(func() { w.sets[m.Shard].keepWriting(t.Context(), stop) })
	}
	testkit.Pause(t.Context(), time.Second+time.Duration(w.random.Int64N(int64(2*time.Second)))) // any moment between two heartbeats
	began := time.Now()
	for i := range all {
		measuring.Go(func() { all[i].Fast = w.firstWrite(t, all[i].Shard, writeconcern.W1(), f, dc, began) })
		measuring.Go(func() {
			all[i].Lasting = w.firstWrite(t, all[i].Shard, writeconcern.Custom(consistency.MultiDatacenter.Name), f, dc, began)
		})
	}
	if err := w.begin(t.Context(), f, dc, down); err != nil {
		t.Fatal(err)
	}
	close(stop)
	measuring.Wait()
	writing.Wait()
	for _, m := range all {
		t.Logf("%s: %s", f, m)
	}
	if err := w.c.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	clustertest.Revive(t, w.c, down...)
	if t.Failed() {
		t.FailNow()
	}
	return all
}

func (w *outages) begin(ctx context.Context, f consistency.Failure, dc topology.DatacenterID, down []string) error {
	if f == consistency.DatacenterCut {
		return cluster.Isolate(ctx, w.c, dc)
	}
	var all errgroup.Group
	for _, member := range down {
		all.Go(func() error { return w.c.Kill(ctx, member) })
	}
	return all.Wait()
}

// firstWrite is when the first write is acknowledged by a member that is left: each is asked
// whether it is the primary, and the one that is gets the write.
func (w *outages) firstWrite(t *testing.T, shard string, concern *writeconcern.WriteConcern, f consistency.Failure, dc topology.DatacenterID, began time.Time) time.Duration {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	err := testkit.Await(ctx, "a write to "+shard, func(ctx context.Context) error {
		for member, client := range w.left {
			of, at, _ := strings.Cut(member, "/")
			if of != shard || member == w.sets[shard].home || f != consistency.PrimaryKilled && at == string(dc) {
				continue
			}
			var hello struct {
				Primary bool `bson:"isWritablePrimary"`
			}
			asking, done := context.WithTimeout(ctx, askWithin)
			err := client.Database("admin").RunCommand(asking, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
			if done(); err != nil || !hello.Primary {
				continue
			}
			_, err = client.Database("failover").Collection("outages", options.Collection().SetWriteConcern(concern)).InsertOne(ctx, bson.D{{Key: "of", Value: shard}})
			return err
		}
		return errors.New("no member that is left is primary")
	})
	if err != nil {
		t.Error(err)
	}
	return time.Since(began)
}

// forecast is what is foreseen for the shards together.
func (w *outages) forecast(f consistency.Failure) (fast, lasting consistency.Distribution) {
	for _, shard := range w.c.Topology().Shards {
		settings := consistency.ClusterElections(w.c.Topology(), shard, w.timeout)
		o := consistency.OutageOf(w.c.Topology(), shard, f, settings, 1)
		fast, lasting = append(fast, o.Fast...), append(lasting, o.Lasting...)
	}
	slices.Sort(fast)
	slices.Sort(lasting)
	return fast, lasting
}

// compare holds medians within 15 %, and the shares above 5 s inside the interval of 95 % of the
// measured ones.
func (w *outages) compare(t *testing.T, f consistency.Failure, all []measured) {
	t.Helper()
	foreseenFast, foreseenLasting := w.forecast(f)
	fast, lasting := make(consistency.Distribution, 0, len(all)), make(consistency.Distribution, 0, len(all))
	for _, m := range all {
		fast, lasting = append(fast, m.Fast), append(lasting, m.Lasting)
	}
	slices.Sort(fast)
	slices.Sort(lasting)
	recorded, _ := json.Marshal(map[string]any{"failure": f, "timeout": w.timeout.String(), "w1": milliseconds(fast), "multiDatacenter": milliseconds(lasting)})
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%s (load %.20s)", recorded, load)
	for _, c := range []struct {
		what          string
		got, foreseen consistency.Distribution
	}{{"w: 1", fast, foreseenFast}, {"two datacenters", lasting, foreseenLasting}} {
		ratio, least, most := c.foreseen.At(0.5).Seconds()/c.got.At(0.5).Seconds(), 0.0, 0.0
		least, most = testkit.Wilson(int(c.got.Above(tooLong)*float64(len(c.got))+0.5), len(c.got))
		t.Logf("%s, %s, %d: median %.2f s, p95 %.2f s, most %.2f s, above 5 s %.3f (%.3f to %.3f); foreseen %.2f s, %.2f s, %.2f s, %.3f", f, c.what, len(c.got),
			c.got.At(0.5).Seconds(), c.got.At(0.95).Seconds(), c.got.At(1).Seconds(), c.got.Above(tooLong), least, most,
			c.foreseen.At(0.5).Seconds(), c.foreseen.At(0.95).Seconds(), c.foreseen.At(1).Seconds(), c.foreseen.Above(tooLong))
		highest := 1.15
		if f == consistency.DatacenterCut && c.what != "w: 1" && w.timeout == 10*time.Second {
			highest = 1.2 // two in five take 11 s instead of 21, which is not foreseen: docs/results/failover.md
		}
		if ratio < 0.85 || ratio > highest {
			t.Errorf("%s, %s: the forecast's median is %.2f of what was measured, want 0.85 to %.2f", f, c.what, ratio, highest)
		}
		share := c.foreseen.Above(tooLong)
		// After a cut a second datacenter is quicker than all draws where its member copied from
		// another one than the primary.
		if chained := f == consistency.DatacenterCut && c.what != "w: 1" && share > most; (share < least || share > most) && !chained {
			t.Errorf("%s, %s: %.3f are foreseen above 5 s, want %.3f to %.3f", f, c.what, share, least, most)
		}
	}
}

func milliseconds(d consistency.Distribution) (ms []int64) {
	for _, one := range d {
		ms = append(ms, one.Milliseconds())
	}
	return ms
}

// soonAndLate holds single outages against the forecast on a machine that is busy with other tests:
// nothing is over sooner than the soonest draw, but for what the successor had not heard of its
// primary before, as while it chooses whom to copy from; and the latest draw is exceeded by a
// machine's slowness alone. After a cut that can be as long as members take to copy from another
// one than the primary: a stall of one of them is enough for it to have less than the other.
func (w *outages) soonAndLate(t *testing.T, f consistency.Failure, all []measured) {
	t.Helper()
	const slowness, stranded = 10 * time.Second, 15 * time.Second
	early := w.timeout / 2
	fast, lasting := w.forecast(f)
	for _, m := range all {
		late := fast.At(1) + slowness
		if f == consistency.DatacenterCut {
			late += stranded
		}
		if m.Fast < fast.At(0)-early || m.Lasting < lasting.At(0)-early && f != consistency.DatacenterCut {
			t.Errorf("%s: %s: want %s and %s at least", f, m, fast.At(0), lasting.At(0))
		}
		if m.Fast > late {
			t.Errorf("%s: %s: want %s at most", f, m, late)
		}
	}
}
