package explain

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

// What a filter says of the key depends on how the collection compares strings, and a missing field is null.
func TestWhyFollowsTheRouter(t *testing.T) {
	key := topology.Key{{Name: "home"}, {Name: "at"}}
	for _, c := range []struct {
		filter    bson.D
		collation string
		want      string
	}{
		{bson.D{{Key: "home", Value: "NYC"}}, "", "fixes home"},
		{bson.D{{Key: "home", Value: "NYC"}}, "en", "compares as en does"},
		{bson.D{{Key: "home", Value: bson.D{{Key: "$in", Value: bson.A{"NYC", "LON"}}}}}, "en", "compares as en does"},
		{bson.D{{Key: "home", Value: bson.D{{Key: "$gte", Value: "L"}}}}, "en", "compares as en does"},
		{bson.D{{Key: "home", Value: 44}}, "en", "fixes home"},
		{bson.D{{Key: "home", Value: bson.D{{Key: "$exists", Value: false}}}}, "", "fixes home"},
		{bson.D{{Key: "home", Value: bson.D{{Key: "$exists", Value: true}}}}, "", "says nothing for certain about home"},
	} {
		raw, err := bson.Marshal(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := why(raw, sharding{key: key, collation: c.collation}, 1); !strings.Contains(got, c.want) {
			t.Errorf("%v, collation %q: got %q, want %q in it", c.filter, c.collation, got, c.want)
		}
	}
}
