package clustertest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

func (s *suite) killPrimary(t *testing.T) {
	shard := s.Topology().Shards[0]
	home, other := s.home(t, shard.ID)
	s.twice(t, "kill of a dead member", s.Kill, home)
	if m, _ := s.now(t).Member(home); m.State != cluster.StateDown || m.PID != 0 {
		t.Errorf("killed member: got state %s, pid %d, want down and 0", m.State, m.PID)
	}
	if other != "" && majorityOutside(shard, s.Topology().HomeOf(shard.ID)) {
		AwaitPrimary(t, s, shard.ID, home)
	} else {
		t.Logf("%s has no majority without its home: no other primary is expected", shard.ID)
	}
	s.twice(t, "start of a running member", s.Start, home)
	AwaitWhole(t, s)
}

func (s *suite) pause(t *testing.T) {
	home, other := s.home(t, s.Topology().Shards[0].ID)
	member := cmp.Or(other, home)
	s.twice(t, "pause of a paused member", s.Pause, member)
	if m, _ := s.now(t).Member(member); m.State != cluster.StatePaused || m.PID == 0 {
		t.Errorf("paused member: got state %s, pid %d, want paused and a pid", m.State, m.PID)
	}
	must(t, s.Start(s.context(t), member))
	AwaitWhole(t, s)
}

// twice does with a member what changes nothing the second time.
func (s *suite) twice(t *testing.T, what string, do func(context.Context, string) error, member string) {
	t.Helper()
	must(t, do(s.context(t), member))
	if err := do(s.context(t), member); err != nil {
		t.Errorf("%s: got %v, want nil", what, err)
	}
}

// isolate cuts off a datacenter that is some shard's home while a majority of that shard is elsewhere.
func (s *suite) isolate(t *testing.T) {
	for _, shard := range s.Topology().Shards {
		dc := s.Topology().HomeOf(shard.ID)
		if _, other := s.home(t, shard.ID); other == "" || !majorityOutside(shard, dc) {
			continue
		}
		must(t, cluster.Isolate(s.context(t), s, dc))
		inside := func(m cluster.Member) bool { return m.Datacenter == dc }
		Await(t, s, "a primary outside "+string(dc), func(now cluster.Status) bool {
			return len(now.Faults) > 0 && len(slices.DeleteFunc(now.Primaries(shard.ID), inside)) > 0
		})
		Await(t, s, "the primary inside steps down", func(now cluster.Status) bool {
			return !slices.ContainsFunc(now.Primaries(shard.ID), inside)
		})
		s.healed(t)
		return
	}
	t.Log("no shard has a majority outside its home: isolation cannot be shown in this layout")
}

func (s *suite) healed(t *testing.T) {
	t.Helper()
	must(t, s.Heal(s.context(t)))
	if now := AwaitWhole(t, s); len(now.Faults) != 0 {
		t.Errorf("after healing: got faults %v, want none", now.Faults)
	}
}

// cut looks at the members' own opinion of each other.
func (s *suite) cut(t *testing.T) {
	shard := s.Topology().Shards[0]
	home, other := s.home(t, shard.ID)
	status, here := s.now(t), s.Topology().HomeOf(shard.ID)
	there, _ := status.Member(other)
	if other == "" || there.Datacenter == here {
		t.Log("the first shard is in one datacenter: a cut cannot be shown in this layout")
		return
	}
	first, _ := status.Member(home)
	must(t, cluster.Cut(s.context(t), s, here, there.Datacenter))
	Await(t, s, "the link is shown as cut", func(now cluster.Status) bool {
		return slices.ContainsFunc(now.Links, func(l cluster.Link) bool { return l.Cut && joins(l, here, there.Datacenter) })
	})
	s.awaitHealth(t, other, first.Host, false)
	must(t, s.Heal(s.context(t)))
	s.awaitHealth(t, other, first.Host, true)
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
		var status replica.Status
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
	defer func() {
		load.Stop()
		t.Logf("%d writes meanwhile", load.Acknowledged())
	}()
	// A shard that was idle may show the age of its last no-op as lag until the first write is copied.
	Await(t, s, "no lag before", func(now cluster.Status) bool { return lagOf(now, other) < lag/3 })
	must(t, s.SetLag(s.context(t), other, lag))
	Await(t, s, "the lag has built up, and the others have none", func(now cluster.Status) bool {
		m, _ := now.Member(other)
		names, _ := laggards(now, shard.ID, other, lag/2)
		return m.Role == cluster.RoleSecondary && m.Lag != nil && lagOf(now, other) >= lag-lag/5 && len(names) == 0
	})
	others := 0
	var held, free []time.Duration // of the member, and of the furthest of the others, which stand under the same load
	for began := time.Now(); time.Since(began) < 2*lag; testkit.Pause(t.Context(), 200*time.Millisecond) {
		now := s.now(t)
		if m, _ := now.Member(other); m.Lag == nil {
			t.Fatalf("%s: no lag known\n%s", other, describe(now))
		}
		if load.pausing() {
			continue // a lag is told by the primary's newest write: while there is none, the others catch up with it
		}
		names, furthest := laggards(now, shard.ID, other, lag/2)
		held, free = append(held, lagOf(now, other)), append(free, furthest)
		if len(names) > 0 {
			t.Logf("lagging too: %v", names)
			others++
		}
	}
	looks := len(held)
	if looks == 0 {
		t.Fatalf("no look at a lag, for no write was acknowledged, want about %s all the time", lag)
	}
	least, most := slices.Min(held), slices.Max(held)
	limit, mayLag := lag+2*fetcherPatience, looks/3
	usual, control := median(held), median(free)
	t.Logf("%s was held %s to %s behind, %s usually (set: %s, limit: %s), the others %s, at %d looks; others lagged at %d",
		other, least, most, usual, lag, limit, control, looks, others)
	if usual > 2*lag+control {
		t.Errorf("got a usual lag of %s while the others had %s, want at most twice the %s that were set, and theirs", usual, control, lag)
	}
	if least < lag*3/4 || most > limit {
		t.Errorf("got a lag of %s to %s at %d looks, want about %s all the time", least, most, looks, lag)
	}
	if others > mayLag {
		t.Errorf("others lagged at %d of %d looks, want at most %d", others, looks, mayLag)
	}
	must(t, s.SetLag(s.context(t), other, 0))
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

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// laggards are the other members of a shard that are further behind than the limit; furthest is how far the last of all the others is.
func laggards(now cluster.Status, shard topology.ShardID, except string, limit time.Duration) (names []string, furthest time.Duration) {
	for _, m := range now.Members {
		if m.Shard != shard || m.Name == except || m.Lag == nil {
			continue
		}
		lag := time.Duration(*m.Lag)
		furthest = max(furthest, lag)
		if lag > limit {
			names = append(names, fmt.Sprintf("%s by %s", m.Name, lag))
		}
	}
	return names, furthest
}

// A load writes to one shard, and knows when it did last.
type load struct {
	*testkit.Load
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
	l := &load{}
	l.Load = testkit.Drive(t, 1, 50*time.Millisecond, func(ctx context.Context, _, _ int) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		_, err := notes.UpdateOne(ctx, bson.M{"_id": 1}, bson.M{"$inc": bson.M{"n": 1}}, upsert)
		if err != nil {
			t.Errorf("write during lag: %v", err)
		} else {
			l.wrote.Store(time.Now().UnixNano())
		}
		return primary, err
	})
	return l
}

// close checks the promise of Close by what the status said before it.
func (s *suite) close(t *testing.T) {
	ctx, before, began := s.context(t), s.now(t), time.Now()
	must(t, s.Close(ctx))
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
