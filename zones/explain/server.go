package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/nstype"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// An answer is what the router says of a find that is explained.
type answer struct {
	Planner struct {
		Plan struct {
			Stage  string
			Query  struct{ Stage string } `bson:"queryPlan"`
			Shards []struct {
				Name topology.ShardID `bson:"shardName"`
			}
		} `bson:"winningPlan"`
	} `bson:"queryPlanner"`
}

// errNoCollection is what a router says of a collection that does not exist, as an error or as a
// plan (serverversion.EOFPlan).
var errNoCollection = hint.New(errors.New("there is no such collection"),
	"name a collection that exists; one that is declared is created by an apply")

var errNoRouter = hint.New(fmt.Errorf("the answer names no shards: %w", topology.ErrNoQueryRouter),
	"connect to a query router (mongos), not to a member of a shard")

// shards are those that the plan names, sorted.
func (a answer) shards() ([]topology.ShardID, error) {
	plan := a.Planner.Plan
	var asked []topology.ShardID
	for _, s := range plan.Shards {
		asked = append(asked, s.Name)
	}
	switch {
	case len(asked) == 0 && (plan.Stage == "EOF" || plan.Query.Stage == "EOF"):
		return nil, errNoCollection
	case len(asked) == 0:
		return nil, errNoRouter
	}
	slices.Sort(asked)
	return slices.Compact(asked), nil
}

// answersWithin bounds the wait for the router, which waits for shards that are silent.
const answersWithin = 30 * time.Second

// askedShards are the shards that the router's plan for a find names, sorted.
func askedShards(ctx context.Context, db *mongo.Database, coll string, filter bson.Raw) ([]topology.ShardID, error) {
	find := bson.D{{Key: "find", Value: coll}, {Key: "filter", Value: filter}}
	var got answer
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	err := db.RunCommand(ctx, bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "queryPlanner"}}).Decode(&got)
	const codeNamespaceNotFound = 26
	var refused mongo.ServerError
	if errors.As(err, &refused) && refused.HasErrorCode(codeNamespaceNotFound) {
		return nil, errNoCollection
	}
	if err != nil && ctx.Err() != nil {
		return nil, hint.New(fmt.Errorf("ask the query router: %w", err), "a shard may not answer: geoshard status names it")
	}
	if err != nil {
		return nil, fmt.Errorf("ask the query router: %w", err)
	}
	asked, err := got.shards()
	if errors.Is(err, errNoCollection) && !routes(ctx, db) { // a mongod has such plans as well
		err = errNoRouter
	}
	if err != nil {
		if kind := nstype.Other(ctx, db.Collection(coll)); kind != "" {
			return nil, hint.Errorf("explain a collection that has documents of its own", "it is a %s, and which shards a query of it asks is not told", kind)
		}
	}
	return asked, err
}

// routes reports whether it is a query router that answers.
func routes(ctx context.Context, db *mongo.Database) bool {
	var hello struct{ Msg string }
	return db.RunCommand(ctx, bson.M{"hello": 1}).Decode(&hello) == nil && hello.Msg == "isdbgrid"
}

// A sharding is how the catalogue says that a collection is sharded. It is zero for one that is not.
type sharding struct {
	key topology.Key
	// collation is the locale by which the collection compares strings, empty for their bytes.
	collation string
	// owners counts the shards that own a part of it.
	owners int
}

// sharded finds a collection in config.collections, if it is sharded by a key of its fields:
// serverversion.UnshardedListed and ViewlessSeries.
func sharded(namespace string) bson.M {
	return bson.M{
		"_id": namespace, "dropped": bson.M{"$ne": true}, "unsplittable": bson.M{"$ne": true},
		"timeseriesFields": bson.M{"$exists": false},
	}
}

func readSharding(ctx context.Context, client *mongo.Client, namespace string) (sharding, error) {
	config := client.Database("config")
	var entry struct {
		Key       bson.Raw
		UUID      bson.Binary
		Collation struct{ Locale string } `bson:"defaultCollation"`
	}
	err := config.Collection("collections").FindOne(ctx, sharded(namespace)).Decode(&entry)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return sharding{owners: 1}, nil
	}
	if err != nil {
		return sharding{}, fmt.Errorf("read config.collections: %w", err)
	}
	owners := config.Collection("chunks").Distinct(ctx, "shard", bson.D{{Key: "uuid", Value: entry.UUID}})
	var ids []string
	if err := owners.Decode(&ids); err != nil {
		return sharding{}, fmt.Errorf("read config.chunks: %w", err)
	}
	key, err := shardkey.ReadKey(entry.Key)
	if err != nil {
		return sharding{}, fmt.Errorf("read the shard key of %s: %w", namespace, err)
	}
	return sharding{key: key, collation: entry.Collation.Locale, owners: len(ids)}, nil
}
