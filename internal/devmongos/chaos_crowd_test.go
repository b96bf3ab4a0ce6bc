package devmongos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

// A crowd is clients side by side, each of which does one thing after the other until the crowd is stopped.
type crowd struct {
	ctx     context.Context
	stop    func() // and wait
	all     sync.WaitGroup
	clients []*busy
}

// A busy client counts what it has finished.
type busy struct {
	name string
	done atomic.Int64
}

// gather returns an empty crowd, which is stopped with the test.
func gather(t *testing.T) *crowd {
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{ctx: ctx}
	c.stop = func() {
		cancel()
		c.all.Wait()
	}
	t.Cleanup(c.stop)
	return c
}

// add adds a client, which rests between two steps. A step under way when the crowd is stopped is finished, so that its outcome is known.
func (c *crowd) add(name string, pace time.Duration, step func(context.Context)) {
	b := &busy{name: name}
	c.clients = append(c.clients, b)
	c.all.Go(func() {
		for c.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), chaosBudget)
			step(ctx)
			cancel()
			b.done.Add(1)
			testkit.Pause(c.ctx, pace)
		}
	})
}

// goOn waits until every client of these kinds (none: of all) has finished what it is at and one more thing: then none waits for something that is gone.
func (c *crowd) goOn(t *testing.T, when string, kinds ...string) {
	t.Helper()
	meant := func(b *busy) bool {
		return len(kinds) == 0 || slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(b.name, kind) })
	}
	before := make([]int64, len(c.clients))
	for i, b := range c.clients {
		before[i] = b.done.Load()
	}
	took := testkit.EventuallyNil(t, testkit.Patience, "every client goes on "+when, func(context.Context) error {
		for i, b := range c.clients {
			if n := b.done.Load() - before[i]; n < 2 && meant(b) {
				return fmt.Errorf("%s has finished %d things", b.name, n)
			}
		}
		return nil
	})
	t.Logf("every client goes on %s: after %s", when, took.Round(time.Millisecond))
}
