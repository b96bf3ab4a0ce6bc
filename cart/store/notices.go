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
		if written, err := s.noticeOf(ctx, p, n); !errors.Is(err, cart.ErrNotFound) {
			return written, cart.Replayed, err
		}
		n.Seq = last + 1
		n.ID = fmt.Sprintf("%s.%d", n.DataCenter, n.Seq)
		if err := s.insert(ctx, s.collection(notices, p), n.ID, n.DataCenter, n); err == nil {
			return n, cart.Applied, nil
		} else if !mongo.IsDuplicateKeyError(err) {
			return n, cart.OutcomeUnknown, fmt.Errorf("publish notice: %w", err)
		}
	}
}

// lastNotice is the number of this datacenter's latest notice; 0 if there is none.
func (s *Store) lastNotice(ctx context.Context, p consistency.Profile) (int64, error) {
	last, err := found(s.primary(notices, p).FindOne(ctx, s.at(s.dataCenter), options.FindOne().SetSort(doc("seq", -1))), "notice", s.notice)
	if errors.Is(err, cart.ErrNotFound) {
		return 0, nil
	}
	return last.Seq, err
}

// noticeOf is the notice that a request has written, as safe as the profile's writes are; ErrNotFound if there is none.
func (s *Store) noticeOf(ctx context.Context, p consistency.Profile, n cart.Notice) (cart.Notice, error) {
	written, err := found(s.primary(notices, p).FindOne(ctx, s.at(s.dataCenter, "key", n.Key)), "notice", s.notice)
	if err == nil && written.Request != n.Request {
		err = hint.New(cart.ErrKeyReused, "make a new key for each request")
	}
	if err == nil {
		_, err = s.collection(notices, p).UpdateOne(ctx, s.at(written.DataCenter, "seq", written.Seq), nothing)
	}
	return written, err
}

func (s *Store) notice(raw bson.Raw) (n cart.Notice, err error) {
	err = bson.Unmarshal(raw, &n)
	n.ID, n.DataCenter = stringOf(raw, "_id"), s.dataCenterOf(raw)
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
	cursor, err := s.collection(notices, p).Find(ctx, s.at(origin, "seq", doc("$gt", after)), inOrder("seq", limit))
	return all(ctx, cursor, err, s.notice)
}

// Position is how far this datacenter has settled the notices of another.
func (s *Store) Position(ctx context.Context, p consistency.Profile, origin topology.DatacenterID) (int64, error) {
	raw, err := s.primary(cursors, p).FindOne(ctx, s.position(origin)).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil
	}
	seq, _ := raw.Lookup("seq").AsInt64OK()
	return seq, err
}

// Advance moves the position forward, never back.
func (s *Store) Advance(ctx context.Context, p consistency.Profile, origin topology.DatacenterID, seq int64) error {
	_, err := s.collection(cursors, p).UpdateOne(ctx, s.position(origin), doc("$max", doc("seq", seq)), options.UpdateOne().SetUpsert(true))
	return err
}

func (s *Store) position(origin topology.DatacenterID) bson.D {
	name := "notices of " + string(origin)
	return s.at(s.dataCenter, "name", name, "_id", string(s.dataCenter)+"."+name)
}

// Withhold marks the product in this datacenter's catalogue, so that it gets into no more carts.
func (s *Store) Withhold(ctx context.Context, p consistency.Profile, n cart.Notice) error {
	_, err := s.collection(catalogue, p).UpdateOne(ctx, s.at(s.dataCenter, "sku", n.SKU), doc("$max", doc("delayed", n.Until)))
	return err
}

// markBatch is how many carts are marked with one message.
const markBatch = 500

// Mark marks the product in all open carts of this datacenter, in each item once, and returns how many were marked now.
func (s *Store) Mark(ctx context.Context, p consistency.Profile, n cart.Notice, at time.Time) (marked int64, err error) {
	for {
		models, err := s.unmarked(ctx, p, n, at)
		if err != nil || len(models) == 0 {
			return marked, err
		}
		result, err := s.collection(carts, p).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if result != nil {
			marked += result.ModifiedCount
		}
		if err != nil {
			return marked, fmt.Errorf("mark carts for notice %s: %w", n.ID, err)
		}
		if len(models) < markBatch {
			return marked, nil
		}
	}
}

// lackingCarts have an item of the notice's product that is not marked.
func (s *Store) lackingCarts(n cart.Notice, others ...any) bson.D {
	lacking := doc("sku", n.SKU, "delays.notice", doc("$ne", n.ID))
	return append(s.at(s.dataCenter, "status", cart.Open, "items", doc("$elemMatch", lacking)), doc(others...)...)
}

// unmarked are updates of carts that are to be marked.
func (s *Store) unmarked(ctx context.Context, p consistency.Profile, n cart.Notice, at time.Time) ([]mongo.WriteModel, error) {
	cursor, err := s.primary(carts, p).Find(ctx, s.lackingCarts(n), options.Find().SetProjection(doc("cartId", 1)).SetLimit(markBatch))
	return all(ctx, cursor, err, func(raw bson.Raw) (mongo.WriteModel, error) {
		return s.marking(n, stringOf(raw, "cartId"), at), nil
	})
}

// marking marks one cart, if it still is to be marked.
func (s *Store) marking(n cart.Notice, id string, at time.Time) mongo.WriteModel {
	return mongo.NewUpdateOneModel().
		SetFilter(s.lackingCarts(n, "cartId", id)).
		SetUpdate(doc(
			"$push", doc("items.$[item].delays", cart.Delay{Notice: n.ID, Until: n.Until, Marked: at}),
			"$inc", doc("version", int64(1)),
			"$set", doc("updated", at, "shippingDue", true),
		)).
		SetArrayFilters([]any{doc("item.sku", n.SKU, "item.delays.notice", doc("$ne", n.ID))})
}
