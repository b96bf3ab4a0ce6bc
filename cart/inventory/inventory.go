package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

const (
	// DefaultEvery is how often an instance looks for notices.
	DefaultEvery = time.Second
	// DefaultGrace is longer than any request to the shop may take, with a margin for requests that a server does after the client gave up.
	DefaultGrace = time.Minute
	// batch is how many notices of one datacenter are read at a time.
	batch = 100
)

// Shop is what an instance needs of the shop, as its own datacenter sees it. cart/store's Store is one.
type Shop interface {
	// Origins are the datacenters that have written notices.
	Origins(ctx context.Context, p consistency.Profile) ([]topology.DatacenterID, error)
	// Notices are those of a datacenter behind a number, in their order.
	Notices(ctx context.Context, p consistency.Profile, origin topology.DatacenterID, after int64, limit int) ([]cart.Notice, error)
	// Position is the number of the last notice that is settled here, Advance moves it forward.
	Position(ctx context.Context, p consistency.Profile, origin topology.DatacenterID) (int64, error)
	Advance(ctx context.Context, p consistency.Profile, origin topology.DatacenterID, seq int64) error
	// Withhold keeps the product from getting into more carts.
	Withhold(ctx context.Context, p consistency.Profile, n cart.Notice) error
	// Mark marks the product in each open cart of the own datacenter that has not been marked, and counts them.
	Mark(ctx context.Context, p consistency.Profile, n cart.Notice, at time.Time) (int64, error)
}

// An Instance is the service of one datacenter. It is not safe for concurrent use. Two instances of one datacenter do no harm, and the work twice.
type Instance struct {
	Shop Shop
	// Read is how notices are found; Write how carts are marked and the position kept. Both have to be safe from rollback: a position beyond a mark that
	// was lost would be a cart that was missed.
	Read, Write consistency.Profile
	// Every is how often it looks; 0 = DefaultEvery. Grace is how long carts are looked at for one notice; 0 = DefaultGrace.
	Every, Grace time.Duration
	// Listen hears of each notice and error; nil = nobody.
	Listen func(Event)
	// Now is the clock; nil = time.Now.
	Now func() time.Time

	first map[string]time.Time // when the carts were first looked at, by notice; lost with the process, which costs more looks
}

// An Event is one look at the carts for one notice, or an error.
type Event struct {
	Notice cart.Notice
	Marked int64
	// Settled is true when the notice needs no more looks.
	Settled bool
	Err     error
}

// Run works until the context ends. It goes on after errors.
func (i *Instance) Run(ctx context.Context) {
	pace.Every(ctx, cmp.Or(i.Every, DefaultEvery), func() {
		if err := i.Once(ctx); err != nil && ctx.Err() == nil {
			i.tell(Event{Err: err})
		}
	})
}

// Once looks at all notices that are not settled.
func (i *Instance) Once(ctx context.Context) error {
	origins, err := i.Shop.Origins(ctx, i.Read)
	if err != nil {
		return fmt.Errorf("find out who has notices: %w", err)
	}
	var failed error
	for _, origin := range origins { // one that cannot be read does not hold up the others
		if err := i.follow(ctx, origin); err != nil {
			failed = errors.Join(failed, fmt.Errorf("notices of %s: %w", origin, err))
		}
	}
	return failed
}

// follow goes through the notices of one datacenter, from the position on.
func (i *Instance) follow(ctx context.Context, origin topology.DatacenterID) error {
	position, err := i.Shop.Position(ctx, i.Write, origin)
	if err != nil {
		return err
	}
	list, err := i.Shop.Notices(ctx, i.Read, origin, position, batch)
	if err != nil {
		return err
	}
	settled, inOrder := position, true
	for _, n := range list {
		done, err := i.look(ctx, n)
		if err != nil {
			return err
		}
		if inOrder = inOrder && done; inOrder {
			settled = n.Seq
		}
	}
	if settled == position {
		return nil
	}
	if err := i.Shop.Advance(ctx, i.Write, origin, settled); err != nil {
		return err
	}
	for _, n := range list {
		if n.Seq <= settled {
			delete(i.first, n.ID)
		}
	}
	return nil
}

// look marks the carts for a notice, and reports whether that was the last time it is needed.
func (i *Instance) look(ctx context.Context, n cart.Notice) (done bool, err error) {
	now := i.now()
	first, seen := i.first[n.ID]
	if !seen {
		if err := i.Shop.Withhold(ctx, i.Write, n); err != nil {
			return false, err
		}
		first = i.now() // when it is withheld
	}
	marked, err := i.Shop.Mark(ctx, i.Write, n, now)
	if err != nil {
		return false, err
	}
	if i.first == nil {
		i.first = map[string]time.Time{}
	}
	i.first[n.ID] = first
	done = now.Sub(first) >= cmp.Or(i.Grace, DefaultGrace)
	if !seen || marked > 0 || done {
		i.tell(Event{Notice: n, Marked: marked, Settled: done})
	}
	return done, nil
}

func (i *Instance) now() time.Time {
	clock := time.Now
	if i.Now != nil {
		clock = i.Now
	}
	return clock().UTC().Truncate(time.Millisecond)
}

func (i *Instance) tell(e Event) {
	if i.Listen != nil {
		i.Listen(e)
	}
}
