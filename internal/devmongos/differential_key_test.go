package devmongos_test

import (
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// TestKeysThatAMongosRefuses covers what the differential test leaves out because no plain mongod behaves so: values
// that a shard key cannot have, and statements that name no shard. The codes are those of mongos 6.0.
func TestKeysThatAMongosRefuses(t *testing.T) {
	ctx := t.Context()
	c := startCluster(t)
	c.spread(ctx, t, []spec{specs[0], specs[2]})
	byValue, byPlace := c.client.Database("diff").Collection("byvalue"), c.client.Database("diff").Collection("byplace")
	const shardKeyNotFound, invalidOptions = 61, 72

	if _, err := byPlace.InsertOne(ctx, d("_id", "there", "dc", "LON", "k", bson.MaxKey{})); err != nil {
		t.Errorf("MaxKey in a compound key that is not all MaxKey: %v", err)
	}
	if err := byPlace.FindOne(ctx, d("dc", "LON", "k", bson.MaxKey{})).Err(); err != nil {
		t.Errorf("find it again: %v", err)
	}
	for _, refused := range []struct {
		name string
		code int
		try  func() error
	}{
		{"an array as shard key", shardKeyNotFound, func() error { _, err := byValue.InsertOne(ctx, d("k", bson.A{1, 2})); return err }},
		// A document may have a regular expression there; a filter cannot name it, because it would be a pattern.
		{"a regular expression as the shard key of an upsert", shardKeyNotFound, func() error {
			_, err := byValue.ReplaceOne(ctx, d("k", bson.Regex{Pattern: "a"}), d("k", bson.Regex{Pattern: "a"}), options.Replace().SetUpsert(true))
			return err
		}},
		{"an array on the way to a compound key", shardKeyNotFound, func() error { _, err := byPlace.InsertOne(ctx, d("dc", bson.A{"LON"}, "k", 1)); return err }},
		{"findAndModify without the shard key", shardKeyNotFound, func() error {
			return byValue.FindOneAndUpdate(ctx, d("n", 1), d("$set", d("n", 2))).Err()
		}},
		{"an upsert without the shard key", shardKeyNotFound, func() error {
			_, err := byValue.UpdateOne(ctx, d("n", 1), d("$set", d("n", 2)), options.UpdateOne().SetUpsert(true))
			return err
		}},
		{"an update of one without shard key or _id", invalidOptions, func() error { _, err := byValue.UpdateOne(ctx, d("n", 1), d("$set", d("n", 2))); return err }},
		{"a delete of one without shard key or _id", shardKeyNotFound, func() error { _, err := byValue.DeleteOne(ctx, d("n", 1)); return err }},
		{"a unique index without the shard key", 67, func() error {
			_, err := byValue.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: d("n", 1), Options: options.Index().SetUnique(true)})
			return err
		}},
		{"a second shard key", 23, func() error { return c.admin(ctx, d("shardCollection", "diff.byvalue", "key", d("n", 1))) }},
	} {
		t.Run(refused.name, func(t *testing.T) {
			if got := failed(refused.try()); got.Err == nil || got.Err.codes() != strconv.Itoa(refused.code) {
				t.Errorf("got %v, want code %d", got.Err, refused.code)
			}
		})
	}
	for _, coll := range []*mongo.Collection{byValue, byPlace} {
		want := map[string]int64{"byvalue": 0, "byplace": 1}[coll.Name()]
		if n, err := coll.CountDocuments(ctx, bson.D{}); err != nil || n != want {
			t.Errorf("%s holds %d documents afterwards (%v), want %d", coll.Name(), n, err, want)
		}
	}
}
