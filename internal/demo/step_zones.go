package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/zones/verify"
)

// proveZones tells what the start of the world has planned and applied, plans again, and proves by documents.
func proveZones(ctx context.Context, p *play) error {
	w := p.world
	p.tell(Line{Text: fmt.Sprintf("plan: %d steps for %d collections", len(w.zoning.steps), len(w.topology.Namespaces)), Took: client.Rounded(w.zoning.planned)})
	others := 0
	for _, step := range w.zoning.steps {
		if strings.Contains(step, w.topology.Router.Namespace) || !strings.Contains(step, database+".") {
			p.say("  %s", step)
		} else {
			others++
		}
	}
	p.say("  and %d alike for the shop's other collections", others)
	p.tell(Line{Text: "apply, and the shop's catalogue and stock (the links' delays came on after it)", Took: client.Rounded(w.zoning.applied)})
	began := time.Now()
	plan, err := w.Plan(ctx)
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
	report, err := p.world.Verify(ctx)
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
	home, other := p.world.homes[0], p.world.homes[1]
	uri, err := p.world.cluster.MemberURI(p.primaries.of(p.world.shardOf(other)))
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return nil, err
	}
	carts := client.Database(database).Collection("carts")
	id := bson.D{{Key: "_id", Value: "misplaced"}}
	document := bson.D{id[0], {Key: p.world.field, Value: home}, {Key: "cartId", Value: "misplaced"}}
	_, err = carts.InsertOne(ctx, document, options.InsertOne().SetBypassDocumentValidation(true))
	if err != nil {
		_ = client.Disconnect(ctx)
		return nil, fmt.Errorf("misplace a document: %w", err)
	}
	p.say("spoilt: a cart of %s was put on the shard of %s", home, other)
	return func() {
		ctx := context.WithoutCancel(ctx)
		_, _ = carts.DeleteOne(ctx, id) // where it stays, the proof at the end finds it
		_ = client.Disconnect(ctx)
	}, nil
}
