package catalog

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/plan"
)

// whileWaiting is how much is counted at each look of a wait: there is one every second, and the balancer needs the shards more.
var whileWaiting = MeasureOptions{Spans: 32, Documents: 200_000, Estimate: true}

// Remaining tells what is still outside of its zone by a layout, which migrations go on and how many orphans wait for deletion. Documents and bytes are counted
// where that is cheap, and estimated beyond.
//
// What the user may not see is left out: migrations without find on config.changelog. Orphans
// cannot be left out, they would seem to be gone: without the action shardedDataDistribution
// Remaining is ErrNotAllowed. Servers that cannot count them at all (before MongoDB 6.0.3) leave
// them Uncounted.
func (c *Catalog) Remaining(ctx context.Context, layout zones.Layout) (left apply.Remaining, err error) {
	var names []string
	for _, p := range layout.Collections {
		names = append(names, p.Collection)
	}
	state := &zones.State{}
	if left.Balancer, err = c.balancer(ctx); err != nil || len(names) == 0 {
		return left, err
	}
	if state.Collections, err = c.placed(ctx, names); err != nil || len(state.Collections) == 0 {
		return left, err // what is not sharded lies on one shard, and the balancer does not touch it
	}
	parts, err := c.Distribution(ctx, names)
	if left.Uncounted = uncounted(err); left.Uncounted == "" && err != nil {
		return left, err
	}
	for i, collection := range state.Collections {
		sizes := map[topology.ShardID]zones.Size{}
		for shard, part := range parts[collection.Name] {
			sizes[shard] = part.Owned
		}
		if left.Uncounted != "" {
			if sizes, err = c.sizes(ctx, collection.Name); err != nil { // orphans among them
				return left, err
			}
		}
		state.Collections[i].Sizes = sizes
	}
	for _, shards := range parts {
		for _, part := range shards {
			left.Orphans += part.Orphaned.Documents
		}
	}
	moves := plan.Outside(state, layout)
	if _, err := c.count(ctx, moves, whileWaiting); err != nil && !errors.Is(err, ErrNotSharded) { // it was dropped meanwhile
		return left, err
	}
	cutToOwned(moves, parts)
	for _, m := range moves {
		left.Chunks += m.Chunks
		left.Documents += m.Documents
		left.Bytes += m.Bytes
		if !slices.Contains(left.Collections, m.Collection) {
			left.Collections = append(left.Collections, m.Collection)
			if held, _ := state.Collection(m.Collection); held.NoBalance {
				left.Held = append(left.Held, m.Collection)
			}
		}
	}
	left.Jumbo, left.Movable = plan.JumboOutside(state, layout)
	left.Migrations, err = c.migrations(ctx, state)
	return left, err
}

// uncounted says why orphans cannot be counted by any user, "" if that is not what the error is
// about: serverversion.NoDistribution.
func uncounted(err error) string {
	if !errors.Is(err, ErrUnsupported) {
		return ""
	}
	return "these servers cannot count orphans ($shardedDataDistribution, from MongoDB 6.0.3 on)"
}

// placed reads the chunks of collections, and no more.
func (c *Catalog) placed(ctx context.Context, names []string) ([]zones.Collection, error) {
	all := byName{}
	if err := c.sharded(ctx, scope{names: names}, all); err != nil {
		return nil, err
	}
	for _, f := range all {
		chunks, err := c.chunks(ctx, f.Name, f.uuid)
		if err != nil {
			return nil, err
		}
		f.Chunks = chunks
	}
	return all.sorted(), nil
}

const (
	// logPage is how many entries of the changelog are looked at: a migration writes about six, and few go on at a time.
	logPage = 200
	// staleMigration is when the beginning of a migration without an end counts no more: its shard may have died.
	staleMigration = 6 * time.Hour
)

// migrations are those that the changelog has the beginning of and not the end. The log knows no time zone and no clock but the servers' own.
func (c *Catalog) migrations(ctx context.Context, state *zones.State) ([]apply.Migration, error) {
	log, err := c.migrationLog(ctx, logPage)
	if err != nil {
		if errors.Is(err, ErrNotAllowed) || errors.Is(err, ErrUnsupported) {
			err = nil
		}
		return nil, err
	}
	var going []apply.Migration
	seen := map[string]bool{}
	for _, e := range log { // the newest first: the first entry about a range is where it stands
		id := e.Namespace + string(e.Details.Min)
		if seen[id] {
			continue
		}
		seen[id] = true
		collection, wanted := state.Collection(e.Namespace)
		if e.What != "moveChunk.start" || !wanted || log[0].Time.Sub(e.Time) > staleMigration || owner(collection.Chunks, e.Details.Min) != e.Details.From {
			continue
		}
		r := shardkey.Format(e.Details.Min)
		if e.Details.Max != nil {
			r += " to " + shardkey.Format(e.Details.Max)
		}
		going = append(going, apply.Migration{Collection: e.Namespace, From: e.Details.From, To: e.Details.To, Range: r})
	}
	return going, nil
}

// owner is the shard whose chunk has a key.
func owner(chunks []zones.Chunk, key bson.Raw) topology.ShardID {
	i, found := slices.BinarySearchFunc(chunks, key, func(chunk zones.Chunk, key bson.Raw) int { return shardkey.CompareKeys(chunk.Min, key) })
	if !found {
		i--
	}
	if i < 0 {
		return ""
	}
	return chunks[i].Shard
}
