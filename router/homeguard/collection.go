package homeguard

import (
	"cmp"
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
)

// A Collection is a collection of the driver whose operations the guard sees before they are sent. In ModeRefuse those that leave the datacenter return an *Error; a batch is
// refused as a whole. In the other modes, and for namespaces that are not declared, it is the driver's collection.
//
// It has the driver's methods for documents, with the same results but for Distinct. For the others (Watch, Indexes, Drop …) take Unguarded.
type Collection struct {
	guard     *Guard
	inner     *mongo.Collection
	namespace string
	reach     reach
	marshal   func(any) bson.Raw
}

// Collection wraps a collection, with options as for Clone. The read preference is the one of these options, else that of Options.Client; what the collection's
// database was given cannot be seen.
func (g *Guard) Collection(inner *mongo.Collection, opts ...options.Lister[options.CollectionOptions]) *Collection {
	given := gathered(opts)
	c := &Collection{guard: g, inner: inner, namespace: inner.Database().Name() + "." + inner.Name(), marshal: g.marshaller(given)}
	c.reach = g.reachBy(cmp.Or(given.ReadPreference, g.options.Client.ReadPreference))
	if len(opts) > 0 {
		c.inner = inner.Clone(opts...)
	}
	return c
}

// Unguarded returns the driver's collection.
func (c *Collection) Unguarded() *mongo.Collection { return c.inner }

func (g *Guard) reachBy(p *readpref.ReadPref) reach {
	if p == nil {
		return primaries
	}
	wanted := ""
	if sets := p.TagSets(); len(sets) > 0 {
		for _, tag := range sets[0] {
			if tag.Name == datacenterTag {
				wanted = tag.Value
			}
		}
	}
	return reachWith(p.Mode().String(), wanted, g.options.Here)
}

// gathered is what a list of options comes to.
func gathered[T any](opts []options.Lister[T]) *T {
	var all T
	for _, o := range opts {
		if o == nil {
			continue
		}
		for _, set := range o.List() {
			if set != nil {
				_ = set(&all) // the driver reports it
			}
		}
	}
	return &all
}

// check refuses an operation, or lets it go with nil. Documents that cannot be encoded go: the driver says what is wrong with them.
func (c *Collection) check(ctx context.Context, kind command, filter any, collation *options.Collation) error {
	if c.guard.options.Mode < ModeRefuse {
		return nil
	}
	if doc := c.marshal(filter); doc != nil {
		return c.checkRaw(ctx, kind, doc, collation)
	}
	return nil
}

func (c *Collection) checkRaw(ctx context.Context, kind command, doc bson.Raw, collation *options.Collation) error {
	s := statement{command: kind, namespace: c.namespace, filter: doc}
	if collation != nil {
		s.collation = document(bson.D{{Key: "locale", Value: collation.Locale}})
	}
	if session := mongo.SessionFromContext(ctx); kind.reads() && (session == nil || !session.TransactionRunning()) {
		s.reach = c.reach
	}
	return c.guard.refusal(ctx, s)
}

// Find is the driver's.
func (c *Collection) Find(ctx context.Context, filter any, opts ...options.Lister[options.FindOptions]) (*mongo.Cursor, error) {
	if err := c.check(ctx, findCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.Find(ctx, filter, opts...)
}

// FindOne is the driver's.
func (c *Collection) FindOne(ctx context.Context, filter any, opts ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	if err := c.check(ctx, findCommand, filter, gathered(opts).Collation); err != nil {
		return refusedResult(err)
	}
	return c.inner.FindOne(ctx, filter, opts...)
}

// refusedResult is a result that holds an error.
func refusedResult(err error) *mongo.SingleResult {
	return mongo.NewSingleResultFromDocument(bson.D{}, err, nil)
}

// Aggregate is the driver's. The guard looks at the $match stages with which the pipeline begins.
func (c *Collection) Aggregate(ctx context.Context, pipeline any, opts ...options.Lister[options.AggregateOptions]) (*mongo.Cursor, error) {
	if c.guard.options.Mode >= ModeRefuse {
		if stages := c.marshal(bson.D{{Key: "pipeline", Value: pipeline}}); stages != nil {
			if err := c.checkRaw(ctx, aggregateCommand, matchOf(arrayAt(stages, "pipeline")), gathered(opts).Collation); err != nil {
				return nil, err
			}
		}
	}
	return c.inner.Aggregate(ctx, pipeline, opts...)
}

// CountDocuments is the driver's.
func (c *Collection) CountDocuments(ctx context.Context, filter any, opts ...options.Lister[options.CountOptions]) (int64, error) {
	if err := c.check(ctx, aggregateCommand, filter, gathered(opts).Collation); err != nil {
		return 0, err
	}
	return c.inner.CountDocuments(ctx, filter, opts...)
}

// EstimatedDocumentCount is the driver's. It asks every shard.
func (c *Collection) EstimatedDocumentCount(ctx context.Context, opts ...options.Lister[options.EstimatedDocumentCountOptions]) (int64, error) {
	if err := c.check(ctx, countCommand, bson.D{}, nil); err != nil {
		return 0, err
	}
	return c.inner.EstimatedDocumentCount(ctx, opts...)
}

// Distinct is the driver's, with an error of its own for a refusal: the driver lets nobody else make a DistinctResult.
func (c *Collection) Distinct(ctx context.Context, field string, filter any, opts ...options.Lister[options.DistinctOptions]) (*mongo.DistinctResult, error) {
	if err := c.check(ctx, distinctCommand, filter, gathered(opts).Collation); err != nil {
		return nil, err
	}
	return c.inner.Distinct(ctx, field, filter, opts...), nil
}
