package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// What a server takes without a word and a plan must not ask for all the same.
var (
	// errNothingToDo is a change of what is not there, or is so already.
	errNothingToDo = errors.New("silent no-op")
	// errNotHeld is a sharded collection that lost a range and got another in its place while the balancer looked after it: its documents may leave their zone in between.
	errNotHeld = errors.New("a range was replaced while the balancer looked after the collection")
	// errStillHeld is a collection that was held for the steps and never released.
	errStillHeld = errors.New("it is still held")
)

// performSteps makes the steps of a plan and is stricter than a server, because a plan that is made once has no excuse: nothing that it asks for may be without effect, leave a
// collection unbalanced, or let the balancer see it with a range half replaced. It returns the first mistake, or the model's refusal.
func performSteps(ctx context.Context, m *zonestest.Model, steps []zones.Step) error {
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
		return fmt.Errorf("%s: %w", collection, errStillHeld)
	}
	return nil
}

// performing is what one plan has done so far.
type performing struct {
	*zonestest.Model
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
			return errNothingToDo
		case at.Exists && at.Sizes == nil: // nobody knows whether it has any
			return zonestest.ErrDocuments
		}
	case zones.SetValidator:
		if at := p.found(c.Collection); !at.Exists && c.Validator == nil {
			return errNothingToDo
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
	if !slices.ContainsFunc(at.Ranges, func(r zones.Range) bool { return zonestest.SameBounds(r, c.Range) }) {
		return errNothingToDo
	}
	if at.Sharded && !at.NoBalance {
		p.bare[c.Collection] = append(p.bare[c.Collection], c.Range)
	}
	return nil
}

func (p *performing) adds(c zones.AddRange) error {
	at := p.found(c.Collection)
	switch {
	case at.Sharded && !zonestest.IsFull(at.Key, c.Range):
		return zonestest.ErrPrefixBounds
	case slices.ContainsFunc(p.bare[c.Collection], func(gone zones.Range) bool { return zonestest.Overlap(gone, c.Range) }):
		return errNotHeld
	case slices.ContainsFunc(at.Ranges, func(r zones.Range) bool { return zonestest.SameRange(r, c.Range) }):
		return errNothingToDo
	}
	return nil
}

func bounds(t *testing.T, low, high bson.D) (r zones.Range) {
	t.Helper()
	var err error
	if r.Min, err = bson.Marshal(low); err != nil {
		t.Fatal(err)
	}
	if r.Max, err = bson.Marshal(high); err != nil {
		t.Fatal(err)
	}
	r.Zone = "A"
	return r
}

// Each rule is seen to refuse, so that a plan that passes has kept it.
func TestPerformStepsRefusesMistakes(t *testing.T) {
	key := topology.Key{{Name: "dc"}, {Name: "id"}}
	full := func(dc string) bson.D { return bson.D{{Key: "dc", Value: dc}, {Key: "id", Value: bson.MinKey{}}} }
	lon, nyc := bounds(t, full("LON"), full("LON\x00")), bounds(t, full("NYC"), full("NYC\x00"))
	prefix := bounds(t, bson.D{{Key: "dc", Value: "X"}}, bson.D{{Key: "dc", Value: "Y"}})
	wide, elsewhere := bounds(t, full("A"), full("Z")), lon
	elsewhere.Zone = "NOWHERE"
	const carts, plain, full0, view, loose = "shop.carts", "shop.plain", "shop.full", "shop.view", "shop.loose"
	hold, release := zones.HoldBalancing{Collection: carts}, zones.ReleaseBalancing{Collection: carts}
	state := zones.State{
		Shards: []zones.Shard{{ID: "s0", Zones: []topology.ZoneID{"A"}}, {ID: "s1"}},
		Collections: []zones.Collection{
			{Name: carts, Exists: true, Sharded: true, Key: key, Ranges: []zones.Range{lon}},
			{Name: full0, Exists: true, Sizes: map[topology.ShardID]zones.Size{"s0": {Documents: 1}}},
			{Name: loose, Exists: true, Sizes: map[topology.ShardID]zones.Size{}, Ranges: []zones.Range{prefix}},
			{Name: plain, Exists: true},
			{Name: view, Exists: true, View: true, Sizes: map[topology.ShardID]zones.Size{}},
		},
	}
	for name, c := range map[string]struct {
		changes []zones.Change
		want    error
	}{
		"a range is replaced under a hold":      {[]zones.Change{hold, zones.RemoveRange{Collection: carts, Range: lon}, zones.AddRange{Collection: carts, Range: wide}, release}, nil},
		"a range is replaced without a hold":    {[]zones.Change{zones.RemoveRange{Collection: carts, Range: lon}, zones.AddRange{Collection: carts, Range: wide}}, errNotHeld},
		"a hold that nobody ends":               {[]zones.Change{hold}, errStillHeld},
		"a hold of a collection without chunks": {[]zones.Change{zones.HoldBalancing{Collection: plain}}, zonestest.ErrNamespaceUnknown},
		"a range that is not there":             {[]zones.Change{zones.RemoveRange{Collection: carts, Range: nyc}}, errNothingToDo},
		"a range that is there already":         {[]zones.Change{zones.AddRange{Collection: carts, Range: lon}}, errNothingToDo},
		"a range that overlaps":                 {[]zones.Change{zones.AddRange{Collection: carts, Range: wide}}, zonestest.ErrRangeOverlap},
		"a range of a zone without shards":      {[]zones.Change{zones.AddRange{Collection: carts, Range: elsewhere}}, zonestest.ErrZoneNotFound},
		"bounds that are no full keys":          {[]zones.Change{zones.AddRange{Collection: carts, Range: prefix}}, zonestest.ErrPrefixBounds},
		"sharded with bounds that are none":     {[]zones.Change{zones.ShardCollection{Collection: loose, Key: key}}, zonestest.ErrPrefixBounds},
		"the last shard of a zone in use":       {[]zones.Change{zones.RemoveShardFromZone{Shard: "s0", Zone: "A"}}, zonestest.ErrZoneStillInUse},
		"a shard that nobody has":               {[]zones.Change{zones.AddShardToZone{Shard: "s9", Zone: "A"}}, zonestest.ErrShardNotFound},
		"sharded twice":                         {[]zones.Change{zones.ShardCollection{Collection: carts, Key: key}}, errNothingToDo},
		"documents":                             {[]zones.Change{zones.ShardCollection{Collection: full0, Key: key}}, zonestest.ErrDocuments},
		"perhaps documents":                     {[]zones.Change{zones.ShardCollection{Collection: plain, Key: key}}, zonestest.ErrDocuments},
		"a view":                                {[]zones.Change{zones.ShardCollection{Collection: view, Key: key}}, zonestest.ErrNotACollection},
		"no validator for no collection":        {[]zones.Change{zones.SetValidator{Collection: "shop.none"}}, errNothingToDo},
		"a validator makes the collection":      {[]zones.Change{zones.SetValidator{Collection: "shop.none", Validator: shardkey.ExtJSON(lon.Min)}, zones.ShardCollection{Collection: "shop.none", Key: key}}, nil},
		"a collection that is not there at all": {[]zones.Change{zones.ShardCollection{Collection: "shop.none", Key: key}}, nil},
	} {
		var steps []zones.Step
		for _, change := range c.changes {
			steps = append(steps, zones.Step{Change: change})
		}
		if err := performSteps(t.Context(), zonestest.New(state), steps); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
