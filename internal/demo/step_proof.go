package demo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
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
	carts := p.world.places[b.home].client.Database(database).Collection("carts", options.Collection().SetWriteConcern(writeconcern.Majority()))
	result, err := carts.UpdateOne(ctx, bson.D{{Key: p.world.field, Value: b.home}, {Key: "cartId", Value: idOf(b.handle)}},
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
