package clustertest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

func (s *suite) killPrimary(t *testing.T) {
	ctx := s.context(t)
	shard := s.Topology().Shards[0]
	home, other := s.home(t, shard.ID)
	if err := s.Kill(ctx, home); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(ctx, home); err != nil {
		t.Errorf("kill of a dead member: got %v, want nil", err)
	}
	status, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := status.Member(home); m.State != cluster.StateDown || m.PID != 0 {
		t.Errorf("killed member: got state %s, pid %d, want down and 0", m.State, m.PID)
	}
	if all, inside := voters(shard, s.Topology().HomeOf(shard.ID)); other != "" && 2*(all-inside) > all {
		Await(t, s, "another primary", func(now cluster.Status) bool {
			p, ok := now.Primary(shard.ID)
			return ok && p.Name != home
		})
	} else {
		t.Logf("%s has no majority without its home: no other primary is expected", shard.ID)
	}
	if err := s.Start(ctx, home); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(ctx, home); err != nil {
		t.Errorf("start of a running member: got %v, want nil", err)
	}
	AwaitWhole(t, s)
}

func (s *suite) pause(t *testing.T) {
	ctx := s.context(t)
	home, other := s.home(t, s.Topology().Shards[0].ID)
	member := other
	if member == "" {
		member = home
	}
	if err := s.Pause(ctx, member); err != nil {
		t.Fatal(err)
	}
	if err := s.Pause(ctx, member); err != nil {
		t.Errorf("pause of a paused member: got %v, want nil", err)
	}
	status, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := status.Member(member); m.State != cluster.StatePaused || m.PID == 0 {
		t.Errorf("paused member: got state %s, pid %d, want paused and a pid", m.State, m.PID)
	}
	if err := s.Start(ctx, member); err != nil {
		t.Fatal(err)
	}
	AwaitWhole(t, s)
}

// isolate cuts off a datacenter that is some shard's home while a majority of that shard is elsewhere.
func (s *suite) isolate(t *testing.T) {
	ctx := s.context(t)
	for _, shard := range s.Topology().Shards {
		dc := s.Topology().HomeOf(shard.ID)
		all, inside := voters(shard, dc)
		if _, other := s.home(t, shard.ID); other == "" || 2*(all-inside) <= all {
			continue
		}
		if err := cluster.Isolate(ctx, s, dc); err != nil {
			t.Fatal(err)
		}
		Await(t, s, "a primary outside "+string(dc), func(now cluster.Status) bool {
			for _, m := range now.Members {
				if m.Shard == shard.ID && m.Role == cluster.RolePrimary && m.Datacenter != dc {
					return len(now.Faults) > 0
				}
			}
			return false
		})
		Await(t, s, "the primary inside steps down", func(now cluster.Status) bool {
			for _, m := range now.Members {
				if m.Shard == shard.ID && m.Role == cluster.RolePrimary && m.Datacenter == dc {
					return false
				}
			}
			return true
		})
		s.healed(t)
		return
	}
	t.Log("no shard has a majority outside its home: isolation cannot be shown in this layout")
}

func (s *suite) healed(t *testing.T) {
	t.Helper()
	if err := s.Heal(s.context(t)); err != nil {
		t.Fatal(err)
	}
	AwaitWhole(t, s)
	status, err := s.Status(s.context(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(status.Faults) != 0 {
		t.Errorf("after healing: got faults %v, want none", status.Faults)
	}
}

// cut looks at the members' own opinion of each other.
func (s *suite) cut(t *testing.T) {
	shard := s.Topology().Shards[0]
	home, other := s.home(t, shard.ID)
	here := s.Topology().HomeOf(shard.ID)
	status, err := s.Status(s.context(t))
	if err != nil {
		t.Fatal(err)
	}
	there, _ := status.Member(other)
	if other == "" || there.Datacenter == here {
		t.Log("the first shard is in one datacenter: a cut cannot be shown in this layout")
		return
	}
	homeHost := hostOf(t, status, home)
	if err := cluster.Cut(s.context(t), s, here, there.Datacenter); err != nil {
		t.Fatal(err)
	}
	Await(t, s, "the link is shown as cut", func(now cluster.Status) bool {
		for _, l := range now.Links {
			if l.Cut && joins(l, here, there.Datacenter) {
				return true
			}
		}
		return false
	})
	s.awaitHealth(t, other, homeHost, false)
	if err := s.Heal(s.context(t)); err != nil {
		t.Fatal(err)
	}
	s.awaitHealth(t, other, homeHost, true)
	s.healed(t)
}

func joins(l cluster.Link, a, b topology.DatacenterID) bool {
	return l.Between == [2]topology.DatacenterID{a, b} || l.Between == [2]topology.DatacenterID{b, a}
}

// awaitHealth waits until a member holds another one for reachable or not.
func (s *suite) awaitHealth(t *testing.T, asked, about string, healthy bool) {
	t.Helper()
	client := s.connectMember(t, asked)
	Await(t, s, "reachability as "+asked+" sees it", func(cluster.Status) bool {
		var status struct {
			Members []struct {
				Name   string `bson:"name"`
				Health int    `bson:"health"`
			} `bson:"members"`
		}
		err := client.Database("admin").RunCommand(s.context(t), bson.D{{Key: "replSetGetStatus", Value: 1}}).Decode(&status)
		if err != nil {
			return false
		}
		for _, m := range status.Members {
			if m.Name == about {
				return (m.Health == 1) == healthy
			}
		}
		return false
	})
}

var upsert = options.UpdateOne().SetUpsert(true)

// fetcherPatience is how long a member waits in silence for more of the oplog (5 s and half an election timeout) before it begins
// again. On a busy machine that happens now and then, and then the member is so much further behind for a moment.
const fetcherPatience = 6 * time.Second

// lag holds one member behind while writes go on, and looks that it alone is.
func (s *suite) lag(t *testing.T) {
	const lag = 3 * time.Second
	shard := s.Topology().Shards[0]
	home, other := s.home(t, shard.ID)
	if other == "" {
		t.Log("the first shard has one member: a lag cannot be shown in this layout")
		return
	}
	load := s.keepWriting(t, home)
	defer load.stop()
	// A shard that was idle may show the age of its last no-op as lag until the first write is copied.
	Await(t, s, "no lag before", func(now cluster.Status) bool { return lagOf(now, other) < lag/3 })
	if err := s.SetLag(s.context(t), other, lag); err != nil {
		t.Fatal(err)
	}
	Await(t, s, "the lag has built up, and the others have none", func(now cluster.Status) bool {
		m, _ := now.Member(other)
		return m.Role == cluster.RoleSecondary && m.Lag != nil && lagOf(now, other) >= lag-lag/5 && len(laggards(now, shard.ID, other, lag/2)) == 0
	})
	least, most, looks, others := time.Hour, time.Duration(0), 0, 0
	var held, free []time.Duration // of the member, and of the furthest of the others, which stand under the same load
	for began := time.Now(); time.Since(began) < 2*lag; testkit.Pause(t.Context(), 200*time.Millisecond) {
		now, err := s.Status(s.context(t))
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := now.Member(other); m.Lag == nil {
			t.Fatalf("%s: no lag known\n%s", other, describe(now))
		}
		if load.pausing() {
			continue // a lag is told by the primary's newest write: while there is none, the others catch up with it
		}
		looks++
		held, free = append(held, lagOf(now, other)), append(free, furthest(now, shard.ID, other))
		least, most = min(least, lagOf(now, other)), max(most, lagOf(now, other))
		if names := laggards(now, shard.ID, other, lag/2); len(names) > 0 {
			t.Logf("lagging too: %v", names)
			others++
		}
	}
	limit, mayLag := lag+2*fetcherPatience, looks/3
	t.Logf("%s was held %s to %s behind (set: %s, limit: %s) at %d looks; others lagged at %d", other, least, most, lag, limit, looks, others)
	if usual, control := median(held), median(free); usual > 2*lag+control {
		t.Errorf("got a usual lag of %s while the others had %s, want at most twice the %s that were set, and theirs", usual, control, lag)
	}
	if looks == 0 || least < lag*3/4 || most > limit {
		t.Errorf("got a lag of %s to %s at %d looks, want about %s all the time", least, most, looks, lag)
	}
	if others > mayLag {
		t.Errorf("others lagged at %d of %d looks, want at most %d", others, looks, mayLag)
	}
	if err := s.SetLag(s.context(t), other, 0); err != nil {
		t.Fatal(err)
	}
	Await(t, s, "the lag is gone", func(now cluster.Status) bool { return lagOf(now, other) < lag/3 })
	AwaitWhole(t, s)
}

// lagOf is an hour where no lag is known.
func lagOf(now cluster.Status, member string) time.Duration {
	m, _ := now.Member(member)
	if m.Lag == nil {
		return time.Hour
	}
	return time.Duration(*m.Lag)
}

// furthest is the greatest lag among the other members of a shard.
func furthest(now cluster.Status, shard topology.ShardID, except string) (most time.Duration) {
	for _, m := range now.Members {
		if m.Shard == shard && m.Name != except && m.Lag != nil {
			most = max(most, time.Duration(*m.Lag))
		}
	}
	return most
}

func median(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)/2]
}

// laggards are the other members of a shard that are further behind than the limit.
func laggards(now cluster.Status, shard topology.ShardID, except string, limit time.Duration) (names []string) {
	for _, n := range now.Members {
		if n.Shard == shard && n.Name != except && n.Lag != nil && time.Duration(*n.Lag) > limit {
			names = append(names, fmt.Sprintf("%s by %s", n.Name, *n.Lag))
		}
	}
	return names
}

// A load writes until it is stopped.
type load struct {
	stop  func()
	wrote atomic.Int64 // when the last write was acknowledged, in nanoseconds since 1970
}

// pausing tells that the machine is so busy that no write was acknowledged for a while.
func (l *load) pausing() bool {
	return time.Now().UnixNano()-l.wrote.Load() > int64(500*time.Millisecond)
}

// keepWriting writes to a shard's primary every 50 ms until stopped. It goes past the query router on purpose: the load
// has to reach this shard, whichever shard owns what.
func (s *suite) keepWriting(t *testing.T, primary string) *load {
	t.Helper()
	notes := s.connectMember(t, primary).Database("clustertest_load").Collection("ticks")
	ctx, cancel := context.WithCancel(s.context(t))
	var writing sync.WaitGroup
	writes := 0
	l := &load{stop: func() {
		cancel()
		writing.Wait()
		t.Logf("%d writes meanwhile", writes)
	}}
	writing.Go(func() {
		for ctx.Err() == nil {
			if _, err := notes.UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, upsert); err == nil {
				writes++
				l.wrote.Store(time.Now().UnixNano())
			} else if ctx.Err() == nil {
				t.Errorf("write during lag: %v", err)
				return
			}
			testkit.Pause(ctx, 50*time.Millisecond)
		}
	})
	return l
}

// close checks the promise of Close by what the status said before it.
func (s *suite) close(t *testing.T) {
	ctx := s.context(t)
	before, err := s.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %s", time.Since(began).Round(time.Millisecond))
	if err := s.Close(ctx); err != nil {
		t.Errorf("second close: got %v, want nil", err)
	}
	for _, m := range before.Members {
		if left, err := process.NewProcessWithContext(ctx, int32(m.PID)); err == nil && m.PID != 0 {
			// The number may be that of a process that has started since.
			if created, err := left.CreateTimeWithContext(ctx); err == nil && time.UnixMilli(created).Before(began) {
				t.Errorf("%s: process %d is still there", m.Name, m.PID)
			}
		}
		if conn, err := net.DialTimeout("tcp", m.Host, time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("%s: %s still takes connections", m.Name, m.Host)
		}
	}
}

func hostOf(t *testing.T, s cluster.Status, member string) string {
	t.Helper()
	m, ok := s.Member(member)
	if !ok {
		t.Fatalf("%s is not in the status", member)
	}
	return m.Host
}
