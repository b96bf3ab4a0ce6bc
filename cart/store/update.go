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
	remembered := pick("$done", op("$gt", "$$each.expires", r.At))
	filter = s.cartAt(h, "status", cart.Open, "done.key", doc("$ne", record.Key), "$expr", op("$lt", doc("$size", remembered), cart.MaxKeys))
	if r.IfVersion != 0 {
		filter = append(filter, doc("version", r.IfVersion)...)
	}
	set := doc(
		"version", op("$add", "$version", int64(1)),
		"updated", r.At,
		"shippingDue", due(r.Change),
		"done", op("$concatArrays", remembered, bson.A{literal(record)}),
	)
	condition, change := effect(r.Change, r.At)
	return append(filter, condition...), bson.A{doc("$set", append(set, change...))}
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
		return holds(c.SKU), doc("items", eachOf(c.SKU, doc("quantity", c.Quantity)))
	case cart.RemoveItem:
		return holds(c.SKU), doc("items", pick("$items", op("$ne", "$$each.sku", literal(c.SKU))))
	case cart.SetCustomer:
		return nil, doc("customer", literal(c.Customer))
	case cart.Abandon:
		return nil, doc("status", cart.Abandoned, "expires", at.Add(abandonedFor))
	default:
		panic(fmt.Sprintf("store: unknown change %T", change)) // impossible: the interface is sealed
	}
}

func adding(a cart.AddItem) (condition, set bson.D) {
	condition = doc(
		"$nor", bson.A{
			doc("items", doc("$elemMatch", doc("currency", doc("$ne", a.Currency)))),
			doc("items", doc("$elemMatch", doc("sku", a.SKU, "quantity", doc("$gt", cart.MaxQuantity-a.Quantity)))),
		},
		"$or", bson.A{
			doc("items.sku", a.SKU),
			doc(fmt.Sprintf("items.%d", cart.MaxItems-1), doc("$exists", false)),
		},
	)
	item := literal(cart.Item{SKU: a.SKU, Quantity: a.Quantity, Price: a.Price, Currency: a.Currency})
	more := eachOf(a.SKU, doc("quantity", op("$add", "$$each.quantity", a.Quantity), "price", a.Price))
	return condition, doc("items", op("$cond", op("$in", literal(a.SKU), "$items.sku"), more, op("$concatArrays", "$items", bson.A{item})))
}

func holds(sku string) bson.D { return doc("items.sku", sku) }

// eachOf is the items with some fields of one product set.
func eachOf(sku string, fields bson.D) bson.D {
	changed := op("$cond", op("$eq", "$$each.sku", literal(sku)), op("$mergeObjects", "$$each", fields), "$$each")
	return doc("$map", doc("input", "$items", "as", "each", "in", changed))
}

// pick is a list without what does not fulfil a condition on $$each.
func pick(list string, condition bson.D) bson.D {
	return doc("$filter", doc("input", list, "as", "each", "cond", condition))
}

// op is an operator with a list of arguments.
func op(name string, arguments ...any) bson.D { return doc(name, bson.A(arguments)) }

// literal keeps the server from reading a client's text as an expression.
func literal(v any) bson.D { return doc("$literal", v) }
