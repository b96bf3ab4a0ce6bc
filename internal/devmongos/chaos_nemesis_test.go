package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
)

// recoveryBudget bounds the wait for a new primary, and for a restarted member to follow.
const recoveryBudget = time.Minute

// A nemesis moves chunks and kills primaries until its context ends, and counts what it did.
type nemesis struct {
	cluster *testCluster
	ns      string
	logf    func(string, ...any)

	mu       sync.Mutex // guards following
	moves    int
	refusals map[string]int
	kills    int
	failures []string
}

// move moves a random chunk to a random other shard, over and over. A move that meets a killed primary or an unfinished
// one is refused; that is no fault of anybody.
func (n *nemesis) move(ctx context.Context, c chance) {
	for ctx.Err() == nil {
		chunk, err := n.anyChunk(ctx, c)
		if err != nil {
			n.refuse(ctx, err)
			continue
		}
		to := string(pickOf(c, n.cluster.shards))
		if to == chunk.Shard {
			continue
		}
		command := d("moveRange", n.ns, "min", chunk.Min, "toShard", to)
		if c.percent(50) {
			command = d("moveChunk", n.ns, "bounds", bson.A{chunk.Min, chunk.Max}, "to", to)
		}
		budget, cancel := context.WithTimeout(ctx, recoveryBudget)
		err = n.cluster.admin(budget, command)
		cancel()
		if err != nil {
			n.refuse(ctx, err)
			continue
		}
		n.mu.Lock()
		n.moves++
		n.mu.Unlock()
	}
}

// disturb lasts for that time; on a busy machine, where a short one may see no primary killed, or no move that survives the kills, until
// there was one of each. calm ends the kills.
func (n *nemesis) disturb(ctx context.Context, duration time.Duration, calm context.CancelFunc) {
	wait(ctx, duration)
	reached := func(count *int) func() bool {
		return func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return *count > 0
		}
	}
	eventually(ctx, recoveryBudget, reached(&n.kills))
	calm()
	eventually(ctx, recoveryBudget, reached(&n.moves))
}

func (n *nemesis) refuse(ctx context.Context, err error) {
	// In its last milliseconds the driver does not even try: nothing was refused then.
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	code := codeOf(err)
	if n.refusals[code]++; n.refusals[code] == 1 {
		n.logf("move refused: %v", err)
	}
}

type chunk struct {
	Min, Max bson.Raw
	Shard    string
}

func (n *nemesis) anyChunk(ctx context.Context, c chance) (chunk, error) {
	config := n.cluster.client.Database("config")
	var collection struct{ UUID bson.Binary }
	if err := config.Collection("collections").FindOne(ctx, d("_id", n.ns)).Decode(&collection); err != nil {
		return chunk{}, err
	}
	cursor, err := config.Collection("chunks").Find(ctx, d("uuid", collection.UUID))
	if err != nil {
		return chunk{}, err
	}
	var chunks []chunk
	if err := cursor.All(ctx, &chunks); err != nil {
		return chunk{}, err
	}
	if len(chunks) == 0 {
		return chunk{}, fmt.Errorf("%s has no chunks", n.ns)
	}
	return pickOf(c, chunks), nil
}

// kill kills the primary of a random shard, waits for the next one, starts the killed one again and waits until it
// follows: then two of three members are always there.
func (n *nemesis) kill(ctx context.Context, c chance) {
	for ctx.Err() == nil {
		shard := pickOf(c, n.cluster.shards)
		victim, ok := n.await(ctx, func(s cluster.Status) (cluster.Member, bool) { return s.Primary(shard) })
		if !ok {
			n.fail(ctx, "shard %s: no primary", shard)
			return
		}
		// Not of ctx: whoever is killed is started again.
		if err := n.cluster.Kill(context.WithoutCancel(ctx), victim.Name); err != nil {
			n.fail(ctx, "kill %s: %v", victim.Name, err)
			return
		}
		began := time.Now()
		next, ok := n.await(context.WithoutCancel(ctx), func(s cluster.Status) (cluster.Member, bool) {
			p, ok := s.Primary(shard)
			return p, ok && p.Name != victim.Name
		})
		n.logf("killed %s; %s (found: %v) is primary after %v", victim.Name, next.Name, ok, time.Since(began).Round(time.Millisecond))
		if err := n.cluster.Start(context.WithoutCancel(ctx), victim.Name); err != nil {
			n.fail(ctx, "start %s: %v", victim.Name, err)
			return
		}
		_, back := n.await(context.WithoutCancel(ctx), func(s cluster.Status) (cluster.Member, bool) {
			m, ok := s.Member(victim.Name)
			return m, ok && m.State == cluster.StateUp && (m.Role == cluster.RoleSecondary || m.Role == cluster.RolePrimary)
		})
		if !ok || !back {
			n.fail(ctx, "shard %s: new primary %v, %s back %v within %v", shard, ok, victim.Name, back, recoveryBudget)
			return
		}
		n.mu.Lock()
		n.kills++
		moves := n.moves
		n.mu.Unlock()
		n.awaitMove(ctx, moves)
	}
}

// breather bounds the wait for a move between two kills.
const breather = 10 * time.Second

// awaitMove waits until a chunk has moved again: without a breather every move would meet a kill, and none succeed.
func (n *nemesis) awaitMove(ctx context.Context, since int) {
	eventually(ctx, breather, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.moves > since
	})
}

func (n *nemesis) fail(ctx context.Context, format string, args ...any) {
	if ctx.Err() != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failures = append(n.failures, fmt.Sprintf(format, args...))
}

// await polls the cluster's status until it is as wanted.
func (n *nemesis) await(ctx context.Context, wanted func(cluster.Status) (cluster.Member, bool)) (cluster.Member, bool) {
	ctx, cancel := context.WithTimeout(ctx, recoveryBudget)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := n.cluster.Status(ctx)
		if err == nil {
			if m, ok := wanted(status); ok {
				return m, true
			}
		}
		select {
		case <-ctx.Done():
			return cluster.Member{}, false
		case <-tick.C:
		}
	}
}
