package rehome

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/hint"
)

// A group is what moves of one collection in one transaction.
type group struct {
	place *place
	docs  []doc
	// found were there, at home or not; moved have been changed by the transaction.
	found int
	moved []doc
}

// move brings a batch and what belongs to it home, in one transaction, and counts afterwards what arrived. A batch that does not go is halved, down to the
// document that cannot move, which is noted and left.
func (r *run) move(ctx context.Context, batch []doc) error {
	batch = slices.DeleteFunc(slices.Clone(batch), func(d doc) bool { return r.stuck[stuckKey(d)] }) // the caller goes on behind its last document
	if len(batch) == 0 {
		return nil
	}
	groups, err := r.groups(ctx, batch)
	if err != nil {
		return err
	}
	if !r.options.DryRun && needed(groups) {
		moving := groups
		groups, err = r.transact(ctx, batch)
		switch {
		case err == nil:
		case len(batch) > 1 && (errors.Is(err, errBusy) || ofDocuments(err)):
			half := len(batch) / 2
			if err := r.move(ctx, batch[:half:half]); err != nil {
				return err
			}
			return r.move(ctx, batch[half:])
		case mongo.IsDuplicateKeyError(err):
			r.leave(batch[0], r.duplicate(ctx, moving, err))
			return nil
		case ofDocuments(err):
			r.leave(batch[0], err)
			return nil
		default:
			return err
		}
	}
	for _, g := range groups {
		if err := g.settle(ctx, r.options.DryRun); err != nil {
			return fmt.Errorf("count what arrived in %s: %w", g.place.name, err)
		}
	}
	return nil
}

// ofDocuments reports whether the server refuses a transaction because of what is in it. Everything else, such as a connection that broke or a privilege that
// is missing, would hold for any other batch.
func ofDocuments(err error) bool {
	var answer mongo.ServerError
	return errors.As(err, &answer) && !errors.Is(err, ErrNotMovable) && !mongo.IsNetworkError(err) && !mongo.IsTimeout(err) &&
		!answer.HasErrorCode(codeUnauthorized) && !answer.HasErrorLabel("TransientTransactionError") && !answer.HasErrorLabel("UnknownTransactionCommitResult")
}

// leave notes that a document cannot move.
func (r *run) leave(d doc, cause error) {
	r.stuck[stuckKey(d)] = true
	if len(r.named) < shownStuck {
		r.named = append(r.named, Stuck{ID: d.id.String(), Reason: cause.Error(), Hint: hint.Of(cause)})
	}
}

// stuckKey identifies a document: _ids are unique on each shard alone.
func stuckKey(d doc) string {
	raw, _ := bson.Marshal(d.key) // it was read from the server
	return string(raw)
}

// groups finds what of a batch and of all that is related to it has to move.
func (r *run) groups(ctx context.Context, batch []doc) ([]*group, error) {
	main := &group{place: r.main, found: len(batch)}
	for _, d := range batch {
		if !d.home {
			main.docs = append(main.docs, d)
		}
	}
	groups := []*group{main}
	for _, p := range r.related {
		g, err := p.relatedTo(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("find what is related in %s: %w", p.name, err)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// relatedTo finds the documents that are linked to those of a batch.
func (p *place) relatedTo(ctx context.Context, batch []doc) (*group, error) {
	g := &group{place: p}
	var links bson.A
	for _, d := range batch {
		if link, err := d.raw.LookupErr(strings.Split(p.parent, ".")...); err == nil && link.Type != bson.TypeNull && link.Type != bson.TypeUndefined {
			links = append(links, link)
		}
	}
	if len(links) == 0 {
		return g, nil
	}
	docs, err := p.find(ctx, bson.D{{Key: p.by, Value: bson.D{{Key: "$in", Value: links}}}}, 0, nil)
	if err != nil {
		return nil, err
	}
	g.found = len(docs)
	for _, d := range docs {
		if !d.home {
			g.docs = append(g.docs, d)
		}
	}
	return g, nil
}

func needed(groups []*group) bool {
	for _, g := range groups {
		if len(g.docs) > 0 {
			return true
		}
	}
	return false
}

// errBusy means that others write to the documents of a batch so often that a smaller one has better chances.
var errBusy = errors.New("the documents are busy")

// attempts is how often a batch of several documents is tried before it is halved. A single document is tried until the driver gives up.
const attempts = 3

// transact moves in a transaction, which the driver repeats when the server ends it for a passing reason. What is related is read inside of it: it
// may have grown.
func (r *run) transact(ctx context.Context, batch []doc) ([]*group, error) {
	session, err := r.client.StartSession()
	if err != nil {
		return nil, err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	o := options.Transaction().SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority())
	tried := 0
	moved, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		if tried++; tried > attempts && len(batch) > 1 {
			return nil, errBusy
		}
		groups, err := r.groups(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			if err := g.update(ctx); err != nil {
				return nil, err
			}
		}
		return groups, nil
	}, o)
	if err != nil {
		return nil, explained(err)
	}
	return moved.([]*group), nil
}

// update changes one document with each statement: mongos 6.0 takes no more of those that move documents between shards.
func (g *group) update(ctx context.Context) error {
	set := bson.D{{Key: "$set", Value: bson.D{{Key: g.place.ns.ZoneBy, Value: g.place.to}}}}
	for _, d := range g.docs {
		result, err := g.place.coll.UpdateOne(ctx, d.key, set, options.UpdateOne().SetCollation(simple))
		if err != nil {
			return fmt.Errorf("move _id %s of %s: %w", d.id.String(), g.place.name, err)
		}
		if result.MatchedCount > 0 { // else somebody deleted it or moved it since it was read
			g.moved = append(g.moved, d)
		}
	}
	return nil
}

// settle counts what has arrived.
func (g *group) settle(ctx context.Context, dryRun bool) error {
	c := &g.place.counts
	if dryRun {
		c.Before += int64(len(g.docs))
		c.Skipped += int64(g.found - len(g.docs))
		return nil
	}
	c.Before += int64(len(g.moved))
	c.Skipped += int64(g.found - len(g.docs))
	if len(g.moved) == 0 {
		return nil
	}
	var keys bson.A
	for _, d := range g.moved {
		keys = append(keys, g.place.arrived(d))
	}
	n, err := g.place.majority.CountDocuments(ctx, bson.D{{Key: "$or", Value: keys}}, byBytes())
	c.After += n
	return err
}

// arrived filters a document at its new home.
func (p *place) arrived(d doc) bson.D {
	filter := make(bson.D, len(d.key))
	copy(filter, d.key)
	for i, f := range filter {
		if f.Key == p.ns.ZoneBy {
			filter[i].Value = bson.D{{Key: "$eq", Value: p.to}}
		}
	}
	return filter
}

// duplicate tells a twin, another document with the _id or unique key at the new home, from a document's own orphan, which is what a move of its chunk left
// there and nobody sees: who deletes "one of the two" then deletes the only one.
func (r *run) duplicate(ctx context.Context, groups []*group, err error) error {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	for _, g := range groups {
		for _, d := range g.docs {
			n, counting := g.place.majority.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: d.id}}}}, byBytes())
			if counting != nil || n > 1 || !strings.Contains(err.Error(), "index: _id_") {
				return hint.New(err, "the new home has another document with that _id or unique key: they are unique on each shard alone. Delete or change one of the two, then run it again")
			}
		}
	}
	return hint.New(fmt.Errorf("the new home still has an orphan with its _id, left there when a chunk moved away: %w", err),
		"wait until the shard has deleted it, 15 minutes after the move (an hour from MongoDB 8.2 on; orphanCleanupDelaySecs) and when no cursor reads it any more, and run it again. Delete nothing: there is only this one document")
}

// lookWithin bounds the look for a twin.
const lookWithin = 10 * time.Second

// explained adds a way out to errors that people meet.
func explained(err error) error {
	// The code alone (ReadConcernMajorityNotEnabled) says something else.
	if strings.Contains(err.Error(), "not supported for replica sets with arbiters") {
		return hint.New(fmt.Errorf("%w: %w", ErrNotMovable, err),
			"MongoDB commits no transaction over shards of which one has an arbiter: put a member with data in the arbiter's place (in the topology: role: passive instead of voter)")
	}
	return err
}
