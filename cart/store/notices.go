package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Publish writes a notice of this process's datacenter behind its latest. The number is taken by inserting: whoever was second tries the next. So numbers
// have no gaps, and none is ever added below one that was read.
func (s *Store) Publish(ctx context.Context, p consistency.Profile, n cart.Notice) (cart.Notice, cart.Outcome, error) {
	if err := errors.Join(cart.CheckKey(n.Key, n.Written), cart.CheckSKU(n.SKU)); err != nil {
		return n, cart.OutcomeUnknown, err
	}
	n.DataCenter = s.dataCenter
	n.Request = cart.Fingerprint([]any{n.SKU, n.Until.UnixMilli(), n.Reason}, 0)
	for {
		last, err := s.lastNotice(ctx, p)
		if err != nil {
			return n, cart.OutcomeUnknown, err
		}
		// After the last number was read: had the same request been done since, the number would be taken.
		if found, err := s.noticeOf(ctx, p, n); err != nil || found != nil {
			if err == nil {
				n = *found
			}
			return n, cart.Replayed, err
		}
		n.Seq = last + 1
		n.ID = noticeID(n.DataCenter, n.Seq)
		doc, err := s.document(n.ID, n.DataCenter, n)
		if err != nil {
			return n, cart.OutcomeUnknown, err
		}
		if _, err := s.collection(notices, p).InsertOne(ctx, doc); err == nil {
			return n, cart.Applied, nil
		} else if !mongo.IsDuplicateKeyError(err) {
			return n, cart.OutcomeUnknown, fmt.Errorf("publish notice: %w", err)
		}
	}
}

func noticeID(dc topology.DatacenterID, seq int64) string { return fmt.Sprintf("%s.%d", dc, seq) }

func (s *Store) lastNotice(ctx context.Context, p consistency.Profile) (int64, error) {
	raw, err := s.primary(notices, p).FindOne(ctx, s.of(s.dataCenter), options.FindOne().SetSort(bson.D{{Key: "seq", Value: -1}})).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := s.notice(raw)
	return n.Seq, err
}

// noticeOf is the notice that a request has written, as safe as the profile's writes are; nil if there is none.
func (s *Store) noticeOf(ctx context.Context, p consistency.Profile, n cart.Notice) (*cart.Notice, error) {
	nothing := bson.D{{Key: "$unset", Value: bson.D{{Key: "nothing", Value: ""}}}}
	raw, err := s.primary(notices, p).FindOne(ctx, s.at(s.dataCenter, "key", n.Key)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := s.notice(raw)
	if err != nil {
		return nil, err
	}
	if found.Request != n.Request {
		return nil, hint.New(cart.ErrKeyReused, "make a new key for each request")
	}
	_, err = s.collection(notices, p).UpdateOne(ctx, s.at(found.DataCenter, "seq", found.Seq), nothing)
	return &found, err
}

func (s *Store) notice(raw bson.Raw) (n cart.Notice, err error) {
	err = bson.Unmarshal(raw, &n)
	n.ID, n.DataCenter = idOf(raw), s.dataCenterOf(raw)
	return n, err
}

// Origins are the datacenters that have written notices.
func (s *Store) Origins(ctx context.Context, p consistency.Profile) ([]topology.DatacenterID, error) {
	var origins []topology.DatacenterID
	err := s.collection(notices, p).Distinct(ctx, s.field, bson.D{}).Decode(&origins)
	return origins, err
}

// Notices are the notices of a datacenter behind a number, in their order.
func (s *Store) Notices(ctx context.Context, p consistency.Profile, origin topology.DatacenterID, after int64, limit int) ([]cart.Notice, error) {
	cursor, err := s.collection(notices, p).Find(ctx, s.at(origin, "seq", bson.D{{Key: "$gt", Value: after}}),
		options.Find().SetSort(bson.D{{Key: "seq", Value: 1}}).SetLimit(int64(limit)))
	return all(ctx, cursor, err, s.notice)
}

// Position is how far this datacenter has settled the notices of another.
func (s *Store) Position(ctx context.Context, p consistency.Profile, origin topology.DatacenterID) (int64, error) {
	raw, err := s.primary(cursors, p).FindOne(ctx, s.position(origin)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	seq, _ := raw.Lookup("seq").AsInt64OK()
	return seq, err
}

// Advance moves the position forward, never back.
func (s *Store) Advance(ctx context.Context, p consistency.Profile, origin topology.DatacenterID, seq int64) error {
	_, err := s.collection(cursors, p).UpdateOne(ctx, s.position(origin), bson.D{{Key: "$max", Value: bson.D{{Key: "seq", Value: seq}}}}, upsert())
	return err
}

func (s *Store) position(origin topology.DatacenterID) bson.D {
	name := "notices of " + string(origin)
	return append(s.at(s.dataCenter, "name", name), bson.E{Key: "_id", Value: string(s.dataCenter) + "." + name})
}

// Withhold marks the product in this datacenter's catalogue, so that it gets into no more carts.
func (s *Store) Withhold(ctx context.Context, p consistency.Profile, n cart.Notice) error {
	_, err := s.collection(catalogue, p).UpdateOne(ctx, s.at(s.dataCenter, "sku", n.SKU), bson.D{{Key: "$max", Value: bson.D{{Key: "delayed", Value: n.Until}}}})
	return err
}

// markBatch is how many carts are marked with one message.
const markBatch = 500

// Mark marks the product in all open carts of this datacenter, in each item once, and returns how many were marked now.
func (s *Store) Mark(ctx context.Context, p consistency.Profile, n cart.Notice, at time.Time) (marked int64, err error) {
	for {
		keys, err := s.unmarked(ctx, p, n)
		if err != nil || len(keys) == 0 {
			return marked, err
		}
		models := make([]mongo.WriteModel, len(keys))
		for i, id := range keys {
			models[i] = s.marking(n, id, at)
		}
		result, err := s.collection(carts, p).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if result != nil {
			marked += result.ModifiedCount
		}
		if err != nil {
			return marked, fmt.Errorf("mark carts for notice %s: %w", n.ID, err)
		}
		if len(keys) < markBatch {
			return marked, nil
		}
	}
}

// lacking is a condition on an item: it is of the notice's product, and not marked.
func lacking(n cart.Notice) bson.D {
	return bson.D{{Key: "sku", Value: n.SKU}, {Key: "delays.notice", Value: bson.D{{Key: "$ne", Value: n.ID}}}}
}

func (s *Store) lackingCarts(n cart.Notice) bson.D {
	return append(s.of(s.dataCenter), bson.E{Key: "status", Value: cart.Open}, bson.E{Key: "items", Value: bson.D{{Key: "$elemMatch", Value: lacking(n)}}})
}

func (s *Store) unmarked(ctx context.Context, p consistency.Profile, n cart.Notice) ([]string, error) {
	cursor, err := s.primary(carts, p).Find(ctx, s.lackingCarts(n), options.Find().SetProjection(bson.D{{Key: "cartId", Value: 1}}).SetLimit(markBatch))
	return all(ctx, cursor, err, func(raw bson.Raw) (string, error) {
		id, _ := raw.Lookup("cartId").StringValueOK()
		return id, nil
	})
}

// marking marks one cart, if it still is to be marked.
func (s *Store) marking(n cart.Notice, id string, at time.Time) mongo.WriteModel {
	return mongo.NewUpdateOneModel().
		SetFilter(append(s.lackingCarts(n), bson.E{Key: "cartId", Value: id})).
		SetUpdate(bson.D{
			{Key: "$push", Value: bson.D{{Key: "items.$[item].delays", Value: cart.Delay{Notice: n.ID, Until: n.Until, Marked: at}}}},
			{Key: "$inc", Value: bson.D{{Key: "version", Value: int64(1)}}},
			{Key: "$set", Value: bson.D{{Key: "updated", Value: at}, {Key: "shippingDue", Value: true}}},
		}).
		SetArrayFilters([]any{bson.D{{Key: "item.sku", Value: n.SKU}, {Key: "item.delays.notice", Value: bson.D{{Key: "$ne", Value: n.ID}}}}})
}
