package rehome

import (
	"cmp"
	"context"
	"fmt"
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
	// Filter chooses its documents: anything that encodes to a BSON document. nil = all. Strings are compared by their bytes, as zones are, whatever the
	// collection's own collation is.
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
	// Collation is the locale by which the collection itself compares strings, where it is not by their bytes: an application's queries may find others than
	// the filter did.
	Collation string `json:"collation,omitempty"`
	// Stuck names up to 20 documents that cannot move.
	Stuck []Stuck `json:"stuck,omitempty"`
}

// Moved counts the documents of one namespace.
type Moved struct {
	Namespace string `json:"namespace"`
	// Before were found in another home, After of them are in the new one. They are equal unless somebody else deleted or moved some.
	Before int64 `json:"before"`
	After  int64 `json:"after"`
	// Skipped were at home already.
	Skipped int64 `json:"skipped"`
	// LeftBehind match and are in another home at the end, those that cannot move among them.
	LeftBehind int64 `json:"leftBehind"`
	// Stuck is how many documents cannot move as they are, with all that is related to them.
	Stuck int64 `json:"stuck,omitempty"`
}

// A Stuck document cannot move as it is. Everything else does.
type Stuck struct {
	// ID is its _id as extended JSON, Reason what the server said, Hint the way out.
	ID     string `json:"id"`
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

// shownStuck is how many stuck documents a result names; it counts all.
const shownStuck = 20

// Rehome moves documents through the query router behind client. With an error the result says what was done before it; running again with the same
// options goes on. It returns topology.ErrUndeclared, ErrNotMovable, ErrNoLink, ErrIncomplete, and the errors of the driver. A document that the server
// refuses to move stays with all that is related to it, and stops nothing else: the result names it, and the error is ErrIncomplete.
func Rehome(ctx context.Context, client *mongo.Client, world *topology.Topology, o Options) (*Result, error) {
	r, err := newRun(client, world, o)
	if err != nil {
		return nil, fmt.Errorf("rehome: %w", err)
	}
	for _, p := range r.places() {
		if err := p.readKey(ctx, client); err != nil {
			return nil, fmt.Errorf("rehome: %w", err)
		}
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
	related []*place
	total   int64
	// stuck are the documents that cannot move, by their keys, and the first of them for the result.
	stuck map[string]bool
	named []Stuck
}

// places are the namespace of the options, and those related to it.
func (r *run) places() []*place { return append([]*place{r.main}, r.related...) }

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
	r := &run{client: client, options: o, filter: filter, main: main, stuck: map[string]bool{}}
	declared, _ := world.NamespaceOf(o.Namespace)
	for _, rel := range declared.Related {
		p, err := newPlace(client, world, rel.Namespace, o.To)
		if err != nil {
			return nil, fmt.Errorf("related to %s: %w", o.Namespace, err)
		}
		p.parent, p.by = cmp.Or(rel.Parent, rel.By), rel.By
		r.related = append(r.related, p)
	}
	return r, nil
}

func (r *run) result() *Result {
	r.main.counts.Stuck = int64(len(r.stuck))
	out := &Result{DryRun: r.options.DryRun, Stuck: r.named, Collation: r.main.collation}
	for _, p := range r.places() {
		p.counts.Namespace = p.name
		out.Namespaces = append(out.Namespaces, p.counts)
	}
	return out
}

// all goes through all documents that match, and then through those that were left behind.
func (r *run) all(ctx context.Context) error {
	var err error
	if r.total, err = r.main.coll.CountDocuments(ctx, r.filter, byBytes()); err != nil {
		return fmt.Errorf("count what matches: %w", err)
	}
	if err := r.checkLinks(ctx); err != nil {
		return err
	}
	left := bson.D{{Key: "$and", Value: bson.A{r.filter, r.main.away()}}}
	filter := bson.D{{Key: "$and", Value: bson.A{r.filter}}}
	for range passes {
		if err := r.pass(ctx, filter); err != nil || r.options.DryRun {
			return err
		}
		c := &r.main.counts
		if c.LeftBehind, err = r.main.majority.CountDocuments(ctx, left, byBytes()); err != nil {
			return fmt.Errorf("count what was left behind: %w", err)
		}
		if c.LeftBehind <= int64(len(r.stuck)) {
			return nil
		}
		filter = left
	}
	return nil
}

// pass goes once through the documents of a filter, in the order of their _id.
func (r *run) pass(ctx context.Context, filter bson.D) error {
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
	e := Event{Namespace: r.main.name, Moved: r.main.counts.After, Skipped: r.main.counts.Skipped, Total: r.total, LastID: last.String()}
	if r.options.DryRun {
		e.Moved = r.main.counts.Before
	}
	for _, p := range r.related {
		e.Related += p.counts.After
	}
	r.options.Progress(e)
}

// next are the documents that follow an _id. _ids are unique on each shard alone: all that share the last one of a batch belong to it.
func (r *run) next(ctx context.Context, filter bson.D, last *bson.RawValue) ([]doc, error) {
	following := filter
	if last != nil {
		// An expression compares across types; {_id: {$gt: 7}} would end with the numbers.
		after := bson.D{{Key: "$gt", Value: bson.A{"$_id", bson.D{{Key: "$literal", Value: *last}}}}}
		following = bson.D{{Key: "$and", Value: bson.A{filter, bson.D{{Key: "$expr", Value: after}}}}}
	}
	found, err := r.main.find(ctx, following, r.options.Batch, r.linkFields())
	if err != nil {
		return nil, err
	}
	batch := small(found)
	if len(batch) == len(found) && len(found) < r.options.Batch {
		return batch, nil
	}
	same, err := r.main.find(ctx, bson.D{{Key: "$and", Value: bson.A{filter, bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: batch[len(batch)-1].id}}}}}}}, 0, r.linkFields())
	if err != nil {
		return nil, err
	}
	for _, d := range same {
		if !contains(batch, d) {
			batch = append(batch, d)
		}
	}
	return batch, nil
}

func (r *run) linkFields() []string {
	var fields []string
	for _, p := range r.related {
		fields = append(fields, p.parent)
	}
	return fields
}

// check compares the counts.
func (r *run) check() error {
	var wrong []string
	for _, p := range r.places() {
		if c := p.counts; c.Before != c.After || c.LeftBehind > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d were to move, %d of them are at the new home, %d were left behind", p.name, c.Before, c.After, c.LeftBehind))
		}
	}
	if len(r.stuck) > 0 {
		first := r.named[0]
		wrong = append(wrong, fmt.Sprintf("%d cannot move as they are, with _id %s for the first: %s", len(r.stuck), first.ID, first.Reason))
		return hint.New(fmt.Errorf("%w: %s", ErrIncomplete, strings.Join(wrong, "; ")), cmp.Or(first.Hint, "change these documents, then run it again: it moves what was left behind"))
	}
	if len(wrong) == 0 {
		return nil
	}
	return hint.New(fmt.Errorf("%w: %s", ErrIncomplete, strings.Join(wrong, "; ")),
		"somebody inserted, deleted or moved documents meanwhile: run it again to move what was left behind")
}

// maxBatchBytes is how much goes in one transaction: what it writes on a shard has to fit into 16 MB of an oplog entry's parts and into the cache beside others.
const maxBatchBytes = 8 << 20

// small is the beginning of a batch that is small enough, one document at least.
func small(batch []doc) []doc {
	var bytes int64
	for i, d := range batch {
		if bytes += d.bytes; i > 0 && bytes > maxBatchBytes {
			return batch[:i]
		}
	}
	return batch
}

// checkLinks looks, before anything moves, whether the documents have the fields by which others follow them. Where none of them has one, the topology names the
// wrong field, and what is related would stay behind without a word.
func (r *run) checkLinks(ctx context.Context) error {
	for _, p := range r.related {
		linked := bson.D{{Key: "$and", Value: bson.A{r.filter, bson.D{{Key: p.parent, Value: bson.D{{Key: "$ne", Value: nil}}}}}}}
		n, err := r.main.coll.CountDocuments(ctx, linked, byBytes().SetLimit(1))
		if err != nil {
			return fmt.Errorf("look for the links to %s: %w", p.name, err)
		}
		if n == 0 && r.total > 0 {
			return hint.New(fmt.Errorf("%w: no document of %s has %s, by which %s is related to it", ErrNoLink, r.main.name, p.parent, p.name),
				fmt.Sprintf("name the field of %s in the topology: related: [{namespace: %s, parent: _id, by: %s}]", r.main.name, p.name, p.by))
		}
	}
	return nil
}
