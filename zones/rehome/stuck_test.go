package rehome_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/rehome"
)

// One document that cannot move stops no other: it is named, with a way out that loses nothing.
func TestWhatCannotMoveIsNamedAndTheRestMoves(t *testing.T) {
	s := newShop(t, "stuck", 12)
	s.insert("carts", []any{
		bson.D{{Key: "_id", Value: 3}, {Key: "dc", Value: "Z1"}, {Key: "cartId", Value: "twin"}},               // another document has its _id at the new home
		bson.D{{Key: "_id", Value: 100}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: bson.Undefined{}}},   // no filter finds it
		bson.D{{Key: "_id", Value: 101}, {Key: "dc", Value: bson.Undefined{}}, {Key: "cartId", Value: "none"}}, // nor this one
	})
	// What a move of its chunk left behind at the new home, and the shard has not deleted yet.
	uri, err := clustertest.Alone(t).MemberURI("s1/HERE")
	if err != nil {
		t.Fatal(err)
	}
	orphan := bson.D{{Key: "_id", Value: 7}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: "c7"}}
	if _, err := connect(t, uri).Database(s.db).Collection("carts").InsertOne(t.Context(), orphan); err != nil {
		t.Fatal(err)
	}
	result, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if !errors.Is(err, rehome.ErrIncomplete) {
		t.Fatalf("got %v, want ErrIncomplete", err)
	}
	t.Log(err)
	hints := map[string]string{}
	for _, stuck := range result.Stuck {
		hints[stuck.ID] = stuck.Hint
		t.Logf("%+v", stuck)
	}
	carts := result.Namespaces[0]
	if carts.Stuck != int64(len(hints)) || carts.After != 10 || s.count("carts", at("Z1")) != 11 {
		t.Errorf("got %+v and %d carts at the new home, want 10 moved beside the one that was there", carts, s.count("carts", at("Z1")))
	}
	if twin := hints[`{"$numberInt":"3"}`]; !strings.Contains(twin, "one of the two") {
		t.Errorf("the twin's hint: %q", twin)
	}
	if own := hints[`{"$numberInt":"7"}`]; !strings.Contains(own, "Delete nothing") {
		t.Errorf("the orphan's hint: %q", own)
	}
	for _, id := range []string{`{"$numberInt":"100"}`, `{"$numberInt":"101"}`} {
		if _, named := hints[id]; !named {
			t.Errorf("the document with undefined and _id %s is not named", id)
		}
	}
	// The orphan is deleted, the twin has another _id now: what was left behind moves.
	if _, err := connect(t, uri).Database(s.db).Collection("carts").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: 7}, {Key: "dc", Value: "Z0"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.coll("carts").DeleteOne(t.Context(), bson.D{{Key: "cartId", Value: "twin"}, {Key: "dc", Value: "Z1"}}); err != nil {
		t.Fatal(err)
	}
	again, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(bson.D{{Key: "dc", Value: "Z0"}, {Key: "_id", Value: bson.D{{Key: "$lt", Value: 100}}}}, "Z1"))
	if err != nil || again.Namespaces[0].After != 2 {
		t.Errorf("got %+v, %v, want the two that had been left", again, err)
	}
}

// Documents that are too large for one transaction together move in smaller ones.
func TestLargeDocumentsMoveInSmallBatches(t *testing.T) {
	s := newShop(t, "large", 0)
	var docs []any
	for i := range 5 {
		docs = append(docs, bson.D{{Key: "_id", Value: i}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: i}, {Key: "pad", Value: make([]byte, 8_000_000)}})
	}
	s.insert("carts", docs)
	result, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if err != nil || result.Namespaces[0].After != 5 {
		t.Errorf("got %+v, %v, want 5 moved", result, err)
	}
}

// A collection whose key has become longer than the topology says is rehomed by the key that it has.
func TestRehomeByARefinedKey(t *testing.T) {
	s := newShop(t, "refined", 4)
	admin := s.client.Database("admin")
	if _, err := s.coll("carts").Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: bson.D{{Key: "dc", Value: 1}, {Key: "cartId", Value: 1}, {Key: "user", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	longer := bson.D{{Key: "dc", Value: 1}, {Key: "cartId", Value: 1}, {Key: "user", Value: 1}}
	if err := admin.RunCommand(t.Context(), bson.D{{Key: "refineCollectionShardKey", Value: s.db + ".carts"}, {Key: "key", Value: longer}}).Err(); err != nil {
		t.Fatal(err)
	}
	result, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if err != nil || result.Namespaces[0].After != 4 {
		t.Errorf("got %+v, %v, want 4 moved", result, err)
	}
}

// Where the documents lack the field by which others follow, nothing moves. A parent's field may have another name.
func TestALinkThatCannotHoldIsAnError(t *testing.T) {
	s := newShop(t, "links", 6)
	at := slices.IndexFunc(s.world.Namespaces, func(ns topology.Namespace) bool { return len(ns.Related) > 0 })
	s.world.Namespaces[at].Related[0].By = "files_id"
	before := s.count("carts", bson.D{{Key: "dc", Value: "Z0"}})
	if _, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1")); !errors.Is(err, rehome.ErrNoLink) {
		t.Errorf("got %v, want ErrNoLink", err)
	} else {
		t.Log(err)
	}
	if now := s.count("carts", bson.D{{Key: "dc", Value: "Z0"}}); now != before {
		t.Errorf("%d of %d carts have moved", before-now, before)
	}
	s.insert("orders", []any{bson.D{{Key: "dc", Value: "Z0"}, {Key: "orderId", Value: 999}, {Key: "files_id", Value: 5}}})
	s.world.Namespaces[at].Related[0].Parent = "_id"
	result, err := rehome.Rehome(t.Context(), s.client, s.world, s.options(nil, "Z1"))
	if err != nil || result.Namespaces[1].After != 1 {
		t.Errorf("got %+v, %v, want the one order that is linked by _id", result, err)
	}
}

// A later pass meets the documents that are known to be stuck again, behind one that somebody has brought meanwhile.
func TestALaterPassGoesPastStuckDocuments(t *testing.T) {
	s := newShop(t, "passes", 0)
	s.insert("carts", []any{
		bson.D{{Key: "_id", Value: 10}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: "c10"}},
		bson.D{{Key: "_id", Value: 20}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: "c20"}},
		bson.D{{Key: "_id", Value: 20}, {Key: "dc", Value: "Z1"}, {Key: "cartId", Value: "twin"}},
	})
	o := s.options(nil, "Z1")
	late := false
	o.Progress = func(rehome.Event) {
		if !late {
			late = true
			s.insert("carts", []any{bson.D{{Key: "_id", Value: 5}, {Key: "dc", Value: "Z0"}, {Key: "cartId", Value: "late"}}})
		}
	}
	result, err := rehome.Rehome(t.Context(), s.client, s.world, o)
	if !errors.Is(err, rehome.ErrIncomplete) || result == nil {
		t.Fatalf("got %v, want ErrIncomplete", err)
	}
	if carts := result.Namespaces[0]; carts.After != 2 || carts.Stuck != 1 || carts.LeftBehind != 1 {
		t.Errorf("got %+v, want two moved and the twin left", carts)
	}
}
