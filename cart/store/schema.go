package store

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart"
)

// markOfOurs begins the title of our schemas, by which they are found again.
const markOfOurs = "cart: shape of "

// schema is what documents of a collection look like. It holds off what no version of this program writes, such as stock below nothing.
func (s *Store) schema(collection string) bson.D {
	fields := map[string]bson.D{
		carts: {
			{Key: "cartId", Value: text}, {Key: "items", Value: list(items(), cart.MaxItems)}, {Key: "status", Value: oneOf(cart.Open, cart.Ordered, cart.Abandoned)},
			{Key: "version", Value: least(1)}, {Key: "created", Value: date}, {Key: "updated", Value: date},
			{Key: "done", Value: list(bson.D{{Key: "bsonType", Value: "object"}}, cart.MaxKeys)},
		},
		orders: {
			{Key: "orderId", Value: text}, {Key: "items", Value: list(items(), cart.MaxItems)}, {Key: "total", Value: least(0)},
			{Key: "currency", Value: text}, {Key: "placed", Value: date},
		},
		stock:     {{Key: "sku", Value: text}, {Key: "available", Value: least(0)}},
		catalogue: {{Key: "sku", Value: text}, {Key: "name", Value: text}, {Key: "price", Value: least(0)}, {Key: "currency", Value: text}},
		notices:   {{Key: "seq", Value: least(1)}, {Key: "sku", Value: text}, {Key: "until", Value: date}, {Key: "key", Value: text}},
		cursors:   {{Key: "name", Value: text}, {Key: "seq", Value: least(0)}},
	}[collection]
	properties := append(bson.D{{Key: "_id", Value: text}, {Key: s.field, Value: text}}, fields...)
	required := bson.A{}
	for _, f := range properties {
		required = append(required, f.Key)
	}
	return bson.D{{Key: "title", Value: markOfOurs + collection}, {Key: "bsonType", Value: "object"}, {Key: "required", Value: required}, {Key: "properties", Value: properties}}
}

var (
	text = bson.D{{Key: "bsonType", Value: "string"}}
	date = bson.D{{Key: "bsonType", Value: "date"}}
)

func least(n int) bson.D {
	return bson.D{{Key: "bsonType", Value: bson.A{"int", "long"}}, {Key: "minimum", Value: n}}
}

func list(of bson.D, most int) bson.D {
	return bson.D{{Key: "bsonType", Value: "array"}, {Key: "maxItems", Value: most}, {Key: "items", Value: of}}
}

func oneOf(values ...cart.Status) bson.D { return bson.D{{Key: "enum", Value: values}} }

func items() bson.D {
	quantity := append(least(1), bson.E{Key: "maximum", Value: cart.MaxQuantity})
	return bson.D{{Key: "bsonType", Value: "object"}, {Key: "required", Value: bson.A{"sku", "quantity", "price", "currency"}}, {Key: "properties", Value: bson.D{
		{Key: "sku", Value: text}, {Key: "quantity", Value: quantity}, {Key: "price", Value: least(0)}, {Key: "currency", Value: text},
	}}}
}
