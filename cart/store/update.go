package store

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart"
)

// abandonedFor is how long a cart that was given up is kept. Its keys have long expired by then.
const abandonedFor = 30 * 24 * time.Hour

// changing is a request as one update: a condition that holds if the request can be done and was not, and a pipeline that does it. It is
// cart.Cart.With over again in the server's language, because there it is atomic.
func (s *Store) changing(h cart.Handle, r cart.Request) (filter bson.D, pipeline bson.A) {
	record := r.Record()
	remembered := pick("$done", gt("$$each.expires", r.At))
	filter = append(s.cartAt(h),
		bson.E{Key: "status", Value: cart.Open},
		bson.E{Key: "done.key", Value: bson.D{{Key: "$ne", Value: record.Key}}},
		bson.E{Key: "$expr", Value: op("$lt", op("$size", remembered), cart.MaxKeys)},
	)
	if r.IfVersion != 0 {
		filter = append(filter, bson.E{Key: "version", Value: r.IfVersion})
	}
	set := bson.D{
		{Key: "version", Value: op("$add", "$version", int64(1))},
		{Key: "updated", Value: r.At},
		{Key: "shippingDue", Value: due(r.Change)},
		{Key: "done", Value: op("$concatArrays", remembered, bson.A{literal(record)})},
	}
	condition, change := effect(r.Change, r.At)
	return append(filter, condition...), bson.A{bson.D{{Key: "$set", Value: append(set, change...)}}}
}

// due is whether shipping has to be priced after a change; a removed field takes the cart out of the index of those.
func due(change cart.Change) any {
	if _, is := change.(cart.Abandon); is {
		return "$$REMOVE"
	}
	return true
}

// effect is what a change needs and does.
func effect(change cart.Change, at time.Time) (condition, set bson.D) {
	switch c := change.(type) {
	case cart.AddItem:
		return adding(c)
	case cart.SetQuantity:
		return holds(c.SKU), bson.D{{Key: "items", Value: eachOf(c.SKU, bson.D{{Key: "quantity", Value: c.Quantity}})}}
	case cart.RemoveItem:
		return holds(c.SKU), bson.D{{Key: "items", Value: pick("$items", op("$ne", "$$each.sku", literal(c.SKU)))}}
	case cart.SetCustomer:
		return nil, bson.D{{Key: "customer", Value: literal(c.Customer)}}
	case cart.Abandon:
		return nil, bson.D{{Key: "status", Value: cart.Abandoned}, {Key: "expires", Value: at.Add(abandonedFor)}}
	default:
		panic(fmt.Sprintf("store: unknown change %T", change)) // impossible: the interface is sealed
	}
}

func adding(a cart.AddItem) (condition, set bson.D) {
	condition = bson.D{
		{Key: "$nor", Value: bson.A{
			bson.D{{Key: "items", Value: bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "currency", Value: bson.D{{Key: "$ne", Value: a.Currency}}}}}}}},
			bson.D{{Key: "items", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
				{Key: "sku", Value: a.SKU}, {Key: "quantity", Value: bson.D{{Key: "$gt", Value: cart.MaxQuantity - a.Quantity}}},
			}}}}},
		}},
		{Key: "$or", Value: bson.A{
			bson.D{{Key: "items.sku", Value: a.SKU}},
			bson.D{{Key: fmt.Sprintf("items.%d", cart.MaxItems-1), Value: bson.D{{Key: "$exists", Value: false}}}},
		}},
	}
	item := literal(cart.Item{SKU: a.SKU, Quantity: a.Quantity, Price: a.Price, Currency: a.Currency})
	more := eachOf(a.SKU, bson.D{{Key: "quantity", Value: op("$add", "$$each.quantity", a.Quantity)}, {Key: "price", Value: a.Price}})
	return condition, bson.D{{Key: "items", Value: op("$cond", op("$in", literal(a.SKU), "$items.sku"), more, op("$concatArrays", "$items", bson.A{item}))}}
}

func holds(sku string) bson.D { return bson.D{{Key: "items.sku", Value: sku}} }

// eachOf is the items with some fields of one product set.
func eachOf(sku string, fields bson.D) bson.D {
	changed := op("$cond", op("$eq", "$$each.sku", literal(sku)), op("$mergeObjects", "$$each", fields), "$$each")
	return bson.D{{Key: "$map", Value: bson.D{{Key: "input", Value: "$items"}, {Key: "as", Value: "each"}, {Key: "in", Value: changed}}}}
}

// pick is a list without what does not fulfil a condition on $$each.
func pick(list string, condition bson.D) bson.D {
	return bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: list}, {Key: "as", Value: "each"}, {Key: "cond", Value: condition}}}}
}

func gt(a, b any) bson.D { return op("$gt", a, b) }

func op(name string, arguments ...any) bson.D {
	if len(arguments) == 1 {
		return bson.D{{Key: name, Value: arguments[0]}}
	}
	return bson.D{{Key: name, Value: bson.A(arguments)}}
}

// literal keeps the server from reading a client's text as an expression.
func literal(v any) bson.D { return bson.D{{Key: "$literal", Value: v}} }
