package shardkey

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Filters and documents come from clients. Whatever their bytes are, nothing here may panic or read beyond them, and the order has to stay an order.
func FuzzHostileDocuments(f *testing.F) {
	for _, d := range []bson.D{{}, at("LON", 1), at(bson.D{{Key: "$in", Value: bson.A{"a", nil}}}, bson.Regex{}),
		{{Key: "$and", Value: bson.A{at(1, 2)}}, {Key: "", Value: bson.CodeWithScope{Code: "x", Scope: bson.D{}}}}} {
		f.Add([]byte(document(f, d)), []byte(document(f, at(decimal(f, "1E+6111"), bson.D{{Key: "$gte", Value: 5}}))))
	}
	table := sharded(f, byDatacenter, citySplits...)
	hashed := sharded(f, bson.D{{Key: "dc", Value: "hashed"}, {Key: "id", Value: 1}})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if CompareDocuments(a, b) != -CompareDocuments(b, a) || CompareKeys(a, b) != -CompareKeys(b, a) {
			t.Errorf("%x and %x have no order", a, b)
		}
		for _, table := range []*Table{table, hashed} {
			if len(table.Target(a, nil).Shards) == 0 {
				t.Errorf("filter %x has no target", a)
			}
			if key, err := table.Pattern().KeyOf(a); err == nil {
				table.ShardFor(key)
			}
		}
	})
}
