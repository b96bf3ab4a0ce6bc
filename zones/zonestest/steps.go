package zonestest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// What a server takes without a word and a plan must not ask for all the same.
var (
	// ErrNothingToDo is a change of what is not there, or is so already.
	ErrNothingToDo = errors.New("silent no-op")
	// ErrPrefixBounds is a range of a sharded collection whose bounds are not full keys (SERVER-103833).
	ErrPrefixBounds = errors.New("bounds that are no full keys")
	// ErrNotHeld is a sharded collection that lost a range and got another in its place while the balancer looked after it: its documents may leave their zone in between.
	ErrNotHeld = errors.New("a range was replaced while the balancer looked after the collection")
	// ErrStillHeld is a collection that was held for the steps and never released.
	ErrStillHeld = errors.New("it is still held")
)

// PerformSteps makes the steps of a plan and is stricter than a server, because a plan that is made once has no excuse: nothing that it asks for may be without effect, leave a
// collection unbalanced, or let the balancer see it with a range half replaced. It returns the first mistake, or the model's refusal.
func (m *Model) PerformSteps(ctx context.Context, steps []zones.Step) error {
	p := &performing{Model: m, held: map[string]bool{}, bare: map[string][]zones.Range{}}
	for i, step := range steps {
		err := p.mistake(step.Change)
		if err == nil {
			err = m.Perform(ctx, step.Change)
		}
		if err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.Change, err)
		}
	}
	for collection := range p.held {
		return fmt.Errorf("%s: %w", collection, ErrStillHeld)
	}
	return nil
}

// performing is what one plan has done so far.
type performing struct {
	*Model
	held map[string]bool
	// bare are ranges that were taken away, by collection, while the balancer looked after it.
	bare map[string][]zones.Range
}

// mistake looks at a change before it is made.
func (p *performing) mistake(c zones.Change) error {
	switch c := c.(type) {
	case zones.HoldBalancing:
		p.held[c.Collection] = true
	case zones.ReleaseBalancing:
		delete(p.held, c.Collection)
		delete(p.bare, c.Collection)
	case zones.RemoveRange:
		return p.removes(c)
	case zones.AddRange:
		return p.adds(c)
	case zones.ShardCollection:
		switch at := p.found(c.Collection); {
		case at.Sharded:
			return ErrNothingToDo
		case at.Exists && at.Sizes == nil: // nobody knows whether it has any
			return ErrDocuments
		}
	case zones.SetValidator:
		if at := p.found(c.Collection); !at.Exists && c.Validator == nil {
			return ErrNothingToDo
		}
	}
	return nil
}

func (p *performing) found(name string) zones.Collection {
	at, _ := p.State().Collection(name)
	return at
}

func (p *performing) removes(c zones.RemoveRange) error {
	at := p.found(c.Collection)
	if !slices.ContainsFunc(at.Ranges, func(r zones.Range) bool { return sameBounds(r, c.Range) }) {
		return ErrNothingToDo
	}
	if at.Sharded && !at.NoBalance {
		p.bare[c.Collection] = append(p.bare[c.Collection], c.Range)
	}
	return nil
}

func (p *performing) adds(c zones.AddRange) error {
	at := p.found(c.Collection)
	switch {
	case at.Sharded && !isFull(at.Key, c.Range):
		return ErrPrefixBounds
	case slices.ContainsFunc(p.bare[c.Collection], func(gone zones.Range) bool { return overlap(gone, c.Range) }):
		return ErrNotHeld
	case slices.ContainsFunc(at.Ranges, func(r zones.Range) bool { return sameRange(r, c.Range) }):
		return ErrNothingToDo
	}
	return nil
}

func sameBounds(a, b zones.Range) bool {
	return shardkey.CompareKeys(a.Min, b.Min) == 0 && shardkey.CompareKeys(a.Max, b.Max) == 0
}

func sameRange(a, b zones.Range) bool { return sameBounds(a, b) && a.Zone == b.Zone }

func overlap(a, b zones.Range) bool {
	return shardkey.CompareKeys(a.Min, b.Max) < 0 && shardkey.CompareKeys(b.Min, a.Max) < 0
}

// isFull reports whether both bounds have the fields of a key, all of them and in their order.
func isFull(key topology.Key, r zones.Range) bool {
	return !slices.ContainsFunc([]bson.Raw{r.Min, r.Max}, func(b bson.Raw) bool {
		elements, err := b.Elements()
		return err != nil || !slices.EqualFunc(elements, key, func(e bson.RawElement, f topology.KeyField) bool { return e.Key() == f.Name })
	})
}
