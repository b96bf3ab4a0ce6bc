package catalog

import (
	"context"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// Outline reads states without chunks, indexes, sizes and members: what an apply compares, and [zones.State.Hash] is of, and no more. It asks the query router
// alone, so an apply takes no longer where a member cannot be reached, nor with 100,000 chunks.
func (c *Catalog) Outline() zones.Reader { return outline{c} }

type outline struct{ *Catalog }

// Read reads the outline of a state.
func (o outline) Read(ctx context.Context, namespaces []string) (*zones.State, error) {
	state, err := o.identity(ctx)
	if err != nil {
		return nil, err
	}
	if state.Shards, err = o.shards(ctx); err != nil {
		return nil, err
	}
	all, err := o.listed(ctx, namespaces, state)
	if err != nil {
		return nil, err
	}
	state.Collections = all.sorted()
	return state, nil
}

// ApplyDeps are what [apply.Apply] acts through on this cluster.
func (c *Catalog) ApplyDeps(o LockOptions) apply.Deps {
	return c.depsIn(zones.JournalDatabase, o)
}

func (c *Catalog) depsIn(db string, o LockOptions) apply.Deps {
	return apply.Deps{Reader: c.Outline(), Performer: c, Journal: c.journalIn(db), Locker: c.lockerIn(db, o)}
}
