package clustertest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// KillPrimary kills the primary of a shard, waits for one if there is none, and waits until another member is primary. It returns both; [Revive] brings the killed one
// back. The test ends when no other one is elected within [testkit.Patience].
func KillPrimary(t testing.TB, c interface {
	cluster.Watched
	cluster.Stopper
}, shard topology.ShardID) (killed, elected cluster.Member) {
	t.Helper()
	killed = AwaitPrimary(t, c, shard, "")
	began := time.Now()
	if err := c.Kill(t.Context(), killed.Name); err != nil {
		t.Fatal(err)
	}
	elected = AwaitPrimary(t, c, shard, killed.Name)
	t.Logf("%s killed: %s is primary after %s", killed.Name, elected.Name, time.Since(began).Round(10*time.Millisecond))
	return killed, elected
}

// AwaitPrimary waits until a shard has a primary that is another member than the one named ("" = any), and returns it.
func AwaitPrimary(t testing.TB, c cluster.Watched, shard topology.ShardID, not string) cluster.Member {
	t.Helper()
	what := "a primary of " + string(shard)
	if not != "" {
		what += " that is not " + not
	}
	var found []cluster.Member // for a moment two may hold themselves for it
	Await(t, c, what, func(s cluster.Status) bool {
		found = slices.DeleteFunc(s.Primaries(shard), func(m cluster.Member) bool { return m.Name == not })
		return len(found) > 0
	})
	return found[0]
}

// Revive starts killed or paused members again, side by side, and returns when all of them work. Query routers come last, for they need the others. On a
// busy machine a process may give up: then it is started once more.
func Revive(t testing.TB, c cluster.Stopper, members ...string) {
	t.Helper()
	for _, routers := range []bool{false, true} {
		testkit.EventuallyNil(t, testkit.Patience, "the members work again", func(ctx context.Context) error {
			all, ctx := errgroup.WithContext(ctx)
			for _, name := range members {
				if strings.HasPrefix(name, "router/") == routers {
					all.Go(func() error { return c.Start(ctx, name) })
				}
			}
			return all.Wait()
		})
	}
}
