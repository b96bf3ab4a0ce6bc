package catalog

import (
	"context"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// MeasureOptions bound what a measurement costs the servers.
type MeasureOptions struct {
	// Spans is how many runs of keys are counted at most, one command each. 0 = DefaultSpans.
	Spans int
	// Documents is how many documents are looked at on each shard at most. 0 = DefaultDocuments.
	Documents int64
	// Estimate makes the servers count keys of the shard key's index and take each document for an average one of its shard, instead of reading
	// the documents.
	Estimate bool
}

// The bounds of a measurement where none are given: a few seconds.
const (
	DefaultSpans           = 500
	DefaultDocuments int64 = 1_000_000
)

// Measure replaces the estimates of a forecast's moves by what the servers count in their spans, and sums up anew. Where there is more than the
// options allow, spans are chosen evenly and the rest is taken to be like them; then Forecast.Measured is false.
//
// The servers count orphans too. Where a collection has some, or they are not known, a move is cut down to what its shard owns at most, and Measured is
// false as well.
func (c *Catalog) Measure(ctx context.Context, f *zones.Forecast, o MeasureOptions) error {
	exact, err := c.count(ctx, f.Moves, o)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range f.Moves {
		names = append(names, m.Collection)
	}
	parts, err := c.Distribution(ctx, names)
	if err != nil && !refused(err) {
		return err
	}
	clean := cutToOwned(f.Moves, parts)
	f.Measured = exact && clean && err == nil
	f.Sum()
	return nil
}

// count counts the moves' documents and bytes, and reports whether it counted all of them.
func (c *Catalog) count(ctx context.Context, moves []zones.Move, o MeasureOptions) (exact bool, err error) {
	if o.Spans <= 0 {
		o.Spans = DefaultSpans
	}
	if o.Documents <= 0 {
		o.Documents = DefaultDocuments
	}
	spans := 0
	for _, m := range moves {
		spans += len(m.Spans)
	}
	exact = true
	keys := map[string]bson.Raw{}
	for i := range moves {
		m := &moves[i]
		key, known := keys[m.Collection]
		if !known {
			if key, err = c.keyPattern(ctx, "count what moves in "+m.Collection, m.Collection); err != nil {
				return false, err
			}
			keys[m.Collection] = key
		}
		budget := o
		budget.Documents = max(1, o.Documents/int64(len(moves)))
		budget.Spans = max(1, o.Spans*len(m.Spans)/max(1, spans))
		whole, err := c.countMove(ctx, m, key, budget)
		if err != nil {
			return false, err
		}
		exact = exact && whole
	}
	return exact, nil
}

// countMove counts one move. It reports whether it counted all of it.
func (c *Catalog) countMove(ctx context.Context, m *zones.Move, key bson.Raw, o MeasureOptions) (whole bool, err error) {
	n := len(m.Spans)
	count := min(n, o.Spans)
	var sum zones.Size
	for i := range count {
		span := m.Spans[i*n/count]
		size, err := c.dataSize(ctx, m.Collection, key, span, o)
		if err != nil {
			return false, err
		}
		sum.Documents += size.Documents
		sum.Bytes += size.Bytes
		if o.Documents -= size.Documents; o.Documents <= 0 && (i+1 < n || o.Documents < 0) {
			// The last span was not counted to its end, and others not at all: the estimate stands for those.
			rest := float64(n-i) / float64(n)
			m.Documents = max(sum.Documents, sum.Documents-size.Documents+int64(float64(m.Documents)*rest))
			m.Bytes = max(sum.Bytes, sum.Bytes-size.Bytes+int64(float64(m.Bytes)*rest))
			return false, nil
		}
	}
	if count > 0 {
		m.Documents, m.Bytes = sum.Documents*int64(n)/int64(count), sum.Bytes*int64(n)/int64(count)
	}
	return count == n, nil
}

// dataSize asks the shards for the documents of a span, up to o.Documents on each.
func (c *Catalog) dataSize(ctx context.Context, collection string, key bson.Raw, span zones.Span, o MeasureOptions) (zones.Size, error) {
	var answer struct {
		Size    int64
		Objects int64 `bson:"numObjects"`
	}
	db, _, _ := strings.Cut(collection, ".")
	ctx, cancel := context.WithTimeout(ctx, shardsCountWithin)
	defer cancel()
	err := c.command(ctx, "count what moves in "+collection, db, collection, bson.D{
		{Key: "dataSize", Value: collection}, {Key: "keyPattern", Value: key}, {Key: "min", Value: bson.Raw(span.Min)}, {Key: "max", Value: bson.Raw(span.Max)},
		{Key: "maxObjects", Value: o.Documents}, {Key: "estimate", Value: o.Estimate},
	}, &answer)
	return zones.Size{Documents: answer.Objects, Bytes: answer.Size}, err
}

// cutToOwned bounds the moves from each shard by what it owns of the collection, where there are orphans that were counted too. It reports whether there
// are none.
func cutToOwned(moves []zones.Move, parts Parts) (clean bool) {
	type part struct {
		collection string
		shard      topology.ShardID
	}
	counted := map[part]zones.Size{}
	for _, m := range moves {
		p := part{m.Collection, m.From}
		counted[p] = zones.Size{Documents: counted[p].Documents + m.Documents, Bytes: counted[p].Bytes + m.Bytes}
	}
	orphans := map[string]bool{}
	for name, shards := range parts {
		for _, s := range shards {
			if s.Orphaned.Documents > 0 {
				orphans[name] = true
			}
		}
	}
	for i := range moves {
		m := &moves[i]
		if !orphans[m.Collection] {
			continue
		}
		all, owned := counted[part{m.Collection, m.From}], parts[m.Collection][m.From].Owned
		m.Documents = atMost(m.Documents, all.Documents, owned.Documents)
		m.Bytes = atMost(m.Bytes, all.Bytes, owned.Bytes)
	}
	return len(orphans) == 0
}

// atMost shrinks a part of a whole as the whole has to be shrunk to a limit.
func atMost(part, whole, limit int64) int64 {
	if whole <= limit {
		return part
	}
	return int64(float64(part) * float64(limit) / float64(whole))
}

// A Part is what one shard holds of a collection.
type Part struct {
	// Owned documents lie in the shard's chunks, Orphaned ones were moved away and are not deleted yet.
	Owned, Orphaned zones.Size
}

// Parts are what shards hold of collections, by the names of both.
type Parts = map[string]map[topology.ShardID]Part

// A distribution is what $shardedDataDistribution answers about one collection.
type distribution struct {
	Namespace string `bson:"ns"`
	Shards    []struct {
		Shard         topology.ShardID `bson:"shardName"`
		Owned         int64            `bson:"numOwnedDocuments"`
		OwnedBytes    int64            `bson:"ownedSizeBytes"`
		Orphaned      int64            `bson:"numOrphanedDocs"`
		OrphanedBytes int64            `bson:"orphanedSizeBytes"`
	}
}

// Shards read the list of shards every 30 seconds. One that merges what all have answered refuses to connect to a shard that it does not know yet (ShardNotFound: "No shard
// found for host"), so that for that long after addShard aggregations over all shards may fail.
const (
	shardsKnownWithin = 40 * time.Second
	firstAskedAgain   = 20 * time.Millisecond
	askAgainEvery     = time.Second
)

// Distribution tells what each shard owns of collections, and what it has not cleaned up yet. It takes MongoDB 6.0.3 and the action
// shardedDataDistribution on the cluster. Right after a shard was added it waits until the others know it. A collection that is
// dropped while the server looks at it fails the whole command (NamespaceNotFound), which is then asked again.
func (c *Catalog) Distribution(ctx context.Context, collections []string) (Parts, error) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstAskedAgain, askAgainEvery
	parts, err := backoff.Retry(ctx, func() (Parts, error) {
		parts, err := c.distribution(ctx, collections)
		if err != nil && codeOf(err) != codeShardNotFound && codeOf(err) != codeNamespaceNotFound {
			err = backoff.Permanent(err)
		}
		return parts, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(shardsKnownWithin))
	return parts, c.fail("count the orphans", "$shardedDataDistribution", "", err)
}

// distribution asks once. The server looks at no other collections than those that a $match right behind the stage names.
func (c *Catalog) distribution(ctx context.Context, collections []string) (Parts, error) {
	ctx, cancel := context.WithTimeout(ctx, shardsCountWithin)
	defer cancel()
	cursor, err := c.client.Database("admin").Aggregate(ctx, []bson.M{
		{"$shardedDataDistribution": bson.M{}},
		{"$match": bson.M{"ns": bson.M{"$in": collections}}},
	})
	var entries []distribution
	if err == nil {
		err = cursor.All(ctx, &entries)
	}
	if err != nil {
		return nil, err
	}
	found := Parts{}
	for _, e := range entries {
		found[e.Namespace] = map[topology.ShardID]Part{}
		for _, s := range e.Shards {
			found[e.Namespace][s.Shard] = Part{Owned: zones.Size{Documents: s.Owned, Bytes: s.OwnedBytes}, Orphaned: zones.Size{Documents: s.Orphaned, Bytes: s.OrphanedBytes}}
		}
	}
	return found, nil
}
