package rehome

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/hint"
)

// A group is what moves of one collection in one transaction.
type group struct {
	*place
	docs []doc
	// home is how many others are at home already; moved have been changed by the transaction.
	home  int
	moved []doc
}

// groupOf is what of some documents has to move.
func groupOf(p *place, found []doc) *group {
	docs := slices.DeleteFunc(slices.Clone(found), func(d doc) bool { return d.home })
	return &group{place: p, docs: docs, home: len(found) - len(docs)}
}

// move brings a batch and what belongs to it home, in one transaction, and counts afterwards what arrived.
func (r *run) move(ctx context.Context, batch []doc) error {
	groups, err := r.groups(ctx, batch)
	if err != nil {
		return err
	}
	needed := slices.ContainsFunc(groups, func(g *group) bool { return len(g.docs) > 0 })
	if !r.options.DryRun && needed {
		groups, err = r.transact(ctx, batch)
		if errors.Is(err, errBusy) {
			half := len(batch) / 2
			if err := r.move(ctx, batch[:half]); err != nil {
				return err
			}
			return r.move(ctx, batch[half:])
		}
		if err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := g.settle(ctx, r.options.DryRun); err != nil {
			return fmt.Errorf("count what arrived in %s: %w", g.Namespace, err)
		}
	}
	return nil
}

// groups finds what of a batch and of all that is related to it has to move.
func (r *run) groups(ctx context.Context, batch []doc) ([]*group, error) {
	groups := []*group{groupOf(r.main, batch)}
	for _, p := range r.places[1:] {
		docs, err := p.relatedTo(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("find what is related in %s: %w", p.Namespace, err)
		}
		groups = append(groups, groupOf(p, docs))
	}
	return groups, nil
}

// relatedTo finds the documents that are linked to those of a batch.
func (p *place) relatedTo(ctx context.Context, batch []doc) ([]doc, error) {
	var links bson.A
	for _, d := range batch {
		if link := field(d.raw, p.by); link.Type != bson.TypeNull {
			links = append(links, link)
		}
	}
	if len(links) == 0 {
		return nil, nil
	}
	return p.find(ctx, bson.M{p.by: bson.M{"$in": links}}, 0)
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
	set := bson.M{"$set": bson.M{g.ns.ZoneBy: g.to}}
	for _, d := range g.docs {
		result, err := g.coll.UpdateOne(ctx, d.key, set)
		if err != nil {
			return fmt.Errorf("move _id %s of %s: %w", d.id.String(), g.Namespace, err)
		}
		if result.MatchedCount > 0 { // else somebody deleted it or moved it since it was read
			g.moved = append(g.moved, d)
		}
	}
	return nil
}

// settle counts what has arrived.
func (g *group) settle(ctx context.Context, dryRun bool) error {
	g.Skipped += int64(g.home)
	if dryRun {
		g.Before += int64(len(g.docs))
		return nil
	}
	g.Before += int64(len(g.moved))
	if len(g.moved) == 0 {
		return nil
	}
	var keys bson.A
	for _, d := range g.moved {
		keys = append(keys, g.arrived(d))
	}
	n, err := g.majority.CountDocuments(ctx, bson.M{"$or": keys})
	g.After += n
	return err
}

// arrived filters a document at its new home.
func (p *place) arrived(d doc) bson.M {
	filter := maps.Clone(d.key)
	filter[p.ns.ZoneBy] = bson.M{"$eq": p.to}
	return filter
}

// explained adds a way out to errors that people meet.
func explained(err error) error {
	if mongo.IsDuplicateKeyError(err) {
		return hint.New(err, "the new home has a document with that _id or unique key already: they are unique on each shard alone. Delete or change one of the two")
	}
	// The code alone (ReadConcernMajorityNotEnabled) says something else.
	if strings.Contains(err.Error(), "not supported for replica sets with arbiters") {
		return hint.New(fmt.Errorf("%w: %w", ErrNotMovable, err),
			"MongoDB commits no transaction over shards of which one has an arbiter: put a member with data in the arbiter's place (in the topology: role: passive instead of voter)")
	}
	return err
}
