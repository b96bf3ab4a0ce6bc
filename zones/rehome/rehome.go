package rehome

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// DefaultBatch is how many documents go in one transaction where Options say nothing: few enough to be done within a second or two across an
// ocean, because others wait for the documents of an open transaction.
const DefaultBatch = 50

// Options say what moves where. Namespace and To are required.
type Options struct {
	// Namespace is a collection that the topology decides on.
	Namespace string
	// Filter chooses its documents: anything that encodes to a BSON document. nil = all.
	Filter any
	// To is the new value of the namespace's ZoneBy field, for example StringOf("LON") or IntegerOf(44). The topology must give it to a zone.
	To topology.Value
	// Batch is how many documents of Namespace go in one transaction, with all that are related to them. 0 = DefaultBatch.
	Batch int
	// DryRun counts what would move, and changes nothing.
	DryRun bool
	// Progress hears of each batch. nil = nobody. It must not block.
	Progress func(Event)
}

// An Event says how far a run has come.
type Event struct {
	// Moved documents of Namespace have been moved, Skipped were at home already, of about Total that the filter matched at the beginning.
	Namespace             string
	Moved, Skipped, Total int64
	// Related documents of other namespaces have been moved.
	Related int64
	// LastID is the _id that the run has reached, as extended JSON.
	LastID string
}

// A Result is what a run did, or with DryRun what it would do.
type Result struct {
	DryRun bool `json:"dryRun,omitempty"`
	// Namespaces has the namespace of the options first, then those related to it, in the order of the topology.
	Namespaces []Moved `json:"namespaces"`
}

// Moved counts the documents of one namespace.
type Moved struct {
	Namespace string `json:"namespace"`
	// Before were found in another home, After of them are in the new one. They are equal unless somebody else deleted or moved some.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
	// Skipped were at home already.
	Skipped int64 `json:"skipped"`
	// LeftBehind match and are in another home at the end.
	LeftBehind int64 `json:"leftBehind"`
}

// Rehome moves documents through the query router behind client. With an error the result says what was done before it; running again with the same
// options goes on. It returns topology.ErrUndeclared, ErrNotMovable, ErrIncomplete, and the errors of the driver.
func Rehome(ctx context.Context, client *mongo.Client, world *topology.Topology, o Options) (*Result, error) {
	r, err := newRun(client, world, o)
	if err != nil {
		return nil, fmt.Errorf("rehome: %w", err)
	}
	err = r.all(ctx)
	if err == nil && !o.DryRun {
		err = r.check()
	}
	if err != nil {
		return r.result(), fmt.Errorf("rehome %s: %w", o.Namespace, err)
	}
	return r.result(), nil
}

// passes is how often a run goes through what is left: documents that somebody inserts or changes behind its back are found the next time.
const passes = 3

// A run is one call of Rehome.
type run struct {
	client  *mongo.Client
	options Options
	filter  bson.Raw
	main    *place
	places  []*place // main, and those that are related to it
	total   int64
}

func newRun(client *mongo.Client, world *topology.Topology, o Options) (*run, error) {
	if d, ok := o.Filter.(bson.D); o.Filter == nil || ok && d == nil {
		o.Filter = bson.D{}
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	filter, err := bson.Marshal(o.Filter)
	if err != nil {
		return nil, hint.New(fmt.Errorf("read the filter: %w", err), `write a document, such as {"userId": 7}`)
	}
	main, err := newPlace(client, world, o.Namespace, o.To)
	if err != nil {
		return nil, err
	}
	r := &run{client: client, options: o, filter: filter, main: main, places: []*place{main}}
	declared, _ := world.NamespaceOf(o.Namespace)
	for _, rel := range declared.Related {
		p, err := newPlace(client, world, rel.Namespace, o.To)
		if err != nil {
			return nil, fmt.Errorf("related to %s: %w", o.Namespace, err)
		}
		p.by = rel.By
		main.links = append(main.links, rel.By)
		r.places = append(r.places, p)
	}
	return r, nil
}

func (r *run) result() *Result {
	out := &Result{DryRun: r.options.DryRun}
	for _, p := range r.places {
		out.Namespaces = append(out.Namespaces, p.Moved)
	}
	return out
}

// all goes through all documents that match, and then through those that were left behind.
func (r *run) all(ctx context.Context) error {
	var err error
	if r.total, err = r.main.coll.CountDocuments(ctx, r.filter); err != nil {
		return fmt.Errorf("count what matches: %w", err)
	}
	left := bson.M{"$and": bson.A{r.filter, bson.M{r.main.ns.ZoneBy: bson.M{"$ne": r.main.to}}}}
	filter := bson.M{"$and": bson.A{r.filter}}
	for range passes {
		if err := r.pass(ctx, filter); err != nil || r.options.DryRun {
			return err
		}
		if r.main.LeftBehind, err = r.main.majority.CountDocuments(ctx, left); err != nil {
			return fmt.Errorf("count what was left behind: %w", err)
		}
		if r.main.LeftBehind == 0 {
			return nil
		}
		filter = left
	}
	return nil
}

// pass goes once through the documents of a filter, in the order of their _id.
func (r *run) pass(ctx context.Context, filter bson.M) error {
	var last *bson.RawValue
	for {
		batch, err := r.next(ctx, filter, last)
		if err != nil {
			return fmt.Errorf("read the next batch: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		last = &batch[len(batch)-1].id
		if err := r.move(ctx, batch); err != nil {
			return fmt.Errorf("the batch up to _id %s: %w", last.String(), err)
		}
		r.tell(last)
	}
}

func (r *run) tell(last *bson.RawValue) {
	if r.options.Progress == nil {
		return
	}
	e := Event{Namespace: r.main.Namespace, Moved: r.main.After, Skipped: r.main.Skipped, Total: r.total, LastID: last.String()}
	if r.options.DryRun {
		e.Moved = r.main.Before
	}
	for _, p := range r.places[1:] {
		e.Related += p.After
	}
	r.options.Progress(e)
}

// next are the documents that follow an _id. _ids are unique on each shard alone: all that share the last one of a batch belong to it.
func (r *run) next(ctx context.Context, filter bson.M, last *bson.RawValue) ([]doc, error) {
	following := filter
	if last != nil {
		// An expression compares across types; {_id: {$gt: 7}} would end with the numbers.
		after := bson.M{"$gt": bson.A{"$_id", bson.M{"$literal": *last}}}
		following = bson.M{"$and": bson.A{filter, bson.M{"$expr": after}}}
	}
	batch, err := r.main.find(ctx, following, r.options.Batch)
	if err != nil || len(batch) < r.options.Batch {
		return batch, err
	}
	same, err := r.main.find(ctx, bson.M{"$and": bson.A{filter, bson.M{"_id": bson.M{"$eq": batch[len(batch)-1].id}}}}, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range same {
		if !slices.ContainsFunc(batch, func(o doc) bool { return bytes.Equal(o.raw, d.raw) }) {
			batch = append(batch, d)
		}
	}
	return batch, nil
}

// check compares the counts.
func (r *run) check() error {
	var wrong []string
	for _, p := range r.places {
		if p.Before != p.After || p.LeftBehind > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d were to move, %d of them are at the new home, %d were left behind", p.Namespace, p.Before, p.After, p.LeftBehind))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return hint.New(fmt.Errorf("%w: %s", ErrIncomplete, strings.Join(wrong, "; ")),
		"somebody inserted, deleted or moved documents meanwhile: run it again to move what was left behind")
}
