package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/zones/verify"
)

// proved compares everything with everything once more.
func proved(ctx context.Context, p *play) error {
	if p.spoilt("proof") {
		if err := p.undo(ctx, p.hers); err != nil {
			return err
		}
	}
	w, err := p.compare(ctx)
	if err != nil {
		return err
	}
	p.report.Writes = w
	p.say("%d writes to %d carts were acknowledged; %d things are in the carts", w.Acknowledged, w.Carts, w.Stored)
	same(p, "acknowledged things that are not there", w.Lost, 0)
	same(p, "things that are there twice", w.Doubled, 0)
	if err := p.markedOnce(ctx); err != nil {
		return err
	}
	r := p.report.Reads
	p.say("%d reads took what the copy nearby had: %d of them missed a write that had been acknowledged elsewhere", r.WithoutToken, r.Behind)
	same(p, fmt.Sprintf("reads that were older than their token, of %d", r.WithToken), r.Stale, 0)
	report, err := p.prove(ctx)
	if err != nil {
		return err
	}
	t := report.Totals()
	p.report.Residency = &Residency{Documents: t.Documents, Misplaced: t.Misplaced, Orphans: t.Orphans, Violations: violations(report)}
	return nil
}

// undo takes things out of a cart in the database, where the shop does not see it.
func (p *play) undo(ctx context.Context, b *basket) error {
	carts := p.places[b.home].client.Database(database).Collection("carts", options.Collection().SetWriteConcern(writeconcern.Majority()))
	result, err := carts.UpdateOne(ctx, bson.D{{Key: p.field, Value: b.home}, {Key: "cartId", Value: idOf(b.handle)}},
		bson.D{{Key: "$pull", Value: bson.D{{Key: "items", Value: bson.D{{Key: "sku", Value: "flashlight"}}}}}})
	if err == nil && result.ModifiedCount != 1 {
		err = mongo.ErrNoDocuments
	}
	if err != nil {
		return fmt.Errorf("undo a write: %w", err)
	}
	p.say("spoilt: the flashlight was taken out of cart %s in the database", b.handle)
	return nil
}

// proveZones tells what the start of the world has planned and applied, plans again, and proves by documents.
func proveZones(ctx context.Context, p *play) error {
	p.lasted(p.zoning.planned, "plan: %d steps for %d collections", len(p.zoning.steps), len(p.topology.Namespaces))
	others := 0
	for _, step := range p.zoning.steps {
		if strings.Contains(step, p.topology.Router.Namespace) || !strings.Contains(step, database+".") {
			p.say("  %s", step)
		} else {
			others++
		}
	}
	p.say("  and %d alike for the shop's other collections", others)
	p.lasted(p.zoning.applied, "apply, and the shop's catalogue and stock (the links' delays came on after it)")
	began := time.Now()
	plan, err := p.Plan(ctx)
	if err != nil {
		return err
	}
	p.took(began, "plan again")
	same(p, "nothing is left to do", len(plan.Steps), 0)
	if p.spoilt("zones") {
		undo, err := p.misplace(ctx)
		if err != nil {
			return err
		}
		defer undo()
	}
	_, err = p.prove(ctx)
	return err
}

// prove proves by documents that everything is where it belongs.
func (p *play) prove(ctx context.Context) (*verify.Report, error) {
	began := time.Now()
	report, err := p.Verify(ctx)
	if err != nil {
		return nil, err
	}
	t := report.Totals()
	members := 0
	for _, n := range report.Namespaces {
		members = max(members, len(n.Members))
	}
	p.took(began, "verify: %d documents of %d collections, counted on each of %d members", t.Documents, len(report.Namespaces), members)
	p.check("there are documents to count", t.Documents > 0, t.Documents, "more than 0")
	same(p, "documents outside their zone", t.Misplaced+t.Orphans+t.Unknown, 0)
	same(p, "zones that are held where they may not be", violations(report), 0)
	return report, nil
}

func violations(r *verify.Report) (n int) {
	for _, zone := range r.Residency {
		n += len(zone.Violations)
	}
	return n
}

// misplace puts a cart of one datacenter on another one's shard, as somebody would who connects to a member directly. undo takes it away again.
func (p *play) misplace(ctx context.Context) (undo func(), err error) {
	home, other := p.homes[0], p.homes[1]
	uri, err := p.cluster.MemberURI(p.primaryOf(p.shardOf(other)))
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, err
	}
	carts := client.Database(database).Collection("carts")
	id := bson.D{{Key: "_id", Value: "misplaced"}}
	document := bson.D{id[0], {Key: p.field, Value: home}, {Key: "cartId", Value: "misplaced"}}
	_, err = carts.InsertOne(ctx, document, options.InsertOne().SetBypassDocumentValidation(true))
	if err != nil {
		_ = client.Disconnect(ctx)
		return nil, fmt.Errorf("misplace a document: %w", err)
	}
	p.say("spoilt: a cart of %s was put on the shard of %s", string(home), string(other))
	return func() {
		ctx := context.WithoutCancel(ctx)
		_, _ = carts.DeleteOne(ctx, id) // where it stays, the proof at the end finds it
		_ = client.Disconnect(ctx)
	}, nil
}
