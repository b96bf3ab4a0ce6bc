package routing_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// A control says how late the machine itself was: one write after the other, to the disk of one member, past gateways, query routers and links, of a shard that is not in
// trouble. What these writes take beyond what they took at first is time in which the machine did something else, and in which an election does not get on either.
type control struct {
	members map[topology.ShardID]*mongo.Collection
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu      sync.Mutex
	avoided []topology.ShardID // guarded by mu
	beats   []beat             // guarded by mu
}

// A beat is one write of the control.
type beat struct {
	began time.Time
	took  time.Duration
}

const (
	// beatEvery is the rest between two beats.
	beatEvery = 20 * time.Millisecond
	// baseBeats are those that say how long a beat takes: they come before the load.
	baseBeats = 50
)

// watchMachine starts a control, and returns when it knows how long a beat takes.
func (s *routedShop) watchMachine(t *testing.T) *control {
	t.Helper()
	c := &control{members: map[topology.ShardID]*mongo.Collection{}}
	for _, shard := range s.world.Shards {
		uri, err := s.cluster.MemberURI(shard.MemberName(0))
		if err != nil {
			t.Fatal(err)
		}
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
		onDisk := true
		one := &writeconcern.WriteConcern{W: 1, Journal: &onDisk}
		c.members[shard.ID] = client.Database("control").Collection("beats", options.Collection().SetWriteConcern(one))
	}
	ctx, stop := context.WithCancel(t.Context())
	c.stop = stop
	c.done.Go(func() {
		for testkit.Pause(ctx, beatEvery) {
			c.beat(ctx)
		}
	})
	t.Cleanup(c.end)
	testkit.Eventually(t, testkit.Patience, "the first beats", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.beats) >= baseBeats
	})
	return c
}

// beat writes once. A write that fails is no beat: then nothing is known of the machine, and nothing excused.
func (c *control) beat(ctx context.Context) {
	c.mu.Lock()
	var on *mongo.Collection
	for shard, member := range c.members {
		if !slices.Contains(c.avoided, shard) {
			on = member
		}
	}
	c.mu.Unlock()
	b := beat{began: time.Now()}
	_, err := on.UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return
	}
	b.took = time.Since(b.began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats = append(c.beats, b)
}

// avoid says which shards are in trouble from now on.
func (c *control) avoid(shards ...topology.ShardID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.avoided = shards
}

func (c *control) end() {
	c.stop()
	c.done.Wait()
}

// base is what a beat takes when there is no load yet.
func (c *control) base() time.Duration {
	var first []time.Duration
	for _, b := range c.beats[:baseBeats] {
		first = append(first, b.took)
	}
	return median(first)
}

// late is how late the machine was in a time.
func (c *control) late(from, to time.Time) (sum time.Duration) {
	base := c.base()
	for _, b := range c.beats {
		if b.began.Before(to) && from.Before(b.began.Add(b.took)) {
			sum += max(0, b.took-base)
		}
	}
	return sum
}

// stoodStill reports whether a write that was refused after its whole budget is the machine's fault: it was acknowledged in the end, and within the budget but for the time by
// which the machine was late. What is refused before its budget is used up is an error on any machine.
func (c *control) stoodStill(s sample) bool {
	held := s.ended.Sub(s.began)
	return s.write && held >= budget && !s.settled.IsZero() && s.settled.Sub(s.began)-c.late(s.began, s.settled) <= budget
}

func (c *control) String() string {
	var worst time.Duration
	for _, b := range c.beats {
		worst = max(worst, b.took)
	}
	first, last := c.beats[0], c.beats[len(c.beats)-1]
	return fmt.Sprintf("control: %d writes of %s, the longest %s, late by %s in all", len(c.beats), c.base().Round(100*time.Microsecond), worst.Round(time.Millisecond),
		c.late(first.began, last.began).Round(time.Millisecond))
}

// Only a write that used up its budget, on a machine that was late by what it took beyond that, is excused.
func TestOnlyALateMachineExcuses(t *testing.T) {
	began := time.Now()
	c := &control{}
	for i := range 200 {
		took := 10 * time.Millisecond
		if i == 100 {
			took = 4 * time.Second // it stood still
		}
		c.beats = append(c.beats, beat{began: began.Add(time.Duration(i) * 100 * time.Millisecond), took: took})
	}
	at := func(d time.Duration) time.Time { return began.Add(d) }
	for what, tc := range map[string]struct {
		s    sample
		want bool
	}{
		"late by less than the machine": {sample{write: true, began: at(0), ended: at(budget), settled: at(13 * time.Second)}, true},
		"late by more":                  {sample{write: true, began: at(0), ended: at(budget), settled: at(15 * time.Second)}, false},
		"before the budget was used up": {sample{write: true, began: at(0), ended: at(9 * time.Second), settled: at(9 * time.Second)}, false},
		"while the machine was quick":   {sample{write: true, began: at(15 * time.Second), ended: at(25 * time.Second), settled: at(26 * time.Second)}, false},
		"never acknowledged":            {sample{write: true, began: at(0), ended: at(budget)}, false},
		"a read":                        {sample{began: at(0), ended: at(budget), settled: at(13 * time.Second)}, false},
	} {
		if got := c.stoodStill(tc.s); got != tc.want {
			t.Errorf("%s: excused %v, want %v", what, got, tc.want)
		}
	}
}
