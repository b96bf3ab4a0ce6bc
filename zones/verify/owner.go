package verify

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/topology"
)

// An ownership asks the cluster which shard owns documents of one collection, and remembers the answers of this run.
type ownership struct {
	router *mongo.Client
	target target
	counts map[string]map[topology.ShardID]int64
	keys   map[string]topology.ShardID
}

func newOwnership(router *mongo.Client, t target) *ownership {
	return &ownership{router, t, map[string]map[topology.ShardID]int64{}, map[string]topology.ShardID{}}
}

// A shardStats is what one shard says of a query that it ran behind its ownership filter.
type shardStats struct {
	Shard    topology.ShardID `bson:"shardName"`
	Success  *bool            `bson:"executionSuccess"`
	Returned int64            `bson:"nReturned"`
	Examined int64            `bson:"totalDocsExamined"`
}

// owned counts the documents of a class that each shard owns.
func (o *ownership) owned(ctx context.Context, class string) (map[topology.ShardID]int64, error) {
	if counts, ok := o.counts[class]; ok {
		return counts, nil
	}
	stats, err := o.run(ctx, bson.D{{Key: "filter", Value: o.target.rule.is(class)}})
	if err != nil {
		return nil, err
	}
	counts := map[topology.ShardID]int64{}
	for _, s := range stats {
		counts[s.Shard] = s.Returned
	}
	o.counts[class] = counts
	return counts, nil
}

// unowned counts the documents that each shard holds and does not own. It lacks the shards that own nothing of the collection: the router does not
// ask them.
func (o *ownership) unowned(ctx context.Context) (map[topology.ShardID]int64, error) {
	// The natural order reads each document once, so what was examined and not returned was not owned.
	stats, err := o.run(ctx, bson.D{{Key: "hint", Value: bson.D{{Key: "$natural", Value: 1}}}})
	if err != nil {
		return nil, err
	}
	counts := map[topology.ShardID]int64{}
	for _, s := range stats {
		counts[s.Shard] = s.Examined - s.Returned
	}
	return counts, nil
}

// run explains a find that is carried out on every shard.
func (o *ownership) run(ctx context.Context, find bson.D) ([]shardStats, error) {
	var got struct {
		Stats struct {
			Stages struct {
				Shards []shardStats `bson:"shards"`
			} `bson:"executionStages"`
		} `bson:"executionStats"`
	}
	const codeNamespaceNotFound = 26
	err := o.explain(ctx, find, "executionStats", &got)
	var answer mongo.ServerError
	if errors.As(err, &answer) && answer.HasErrorCode(codeNamespaceNotFound) {
		return nil, nil // there is no such database, and no shard owns anything of it
	}
	if err != nil {
		return nil, err
	}
	shards := got.Stats.Stages.Shards
	if len(shards) == 0 {
		return nil, errors.New("explain names no shard that ran the query")
	}
	for _, s := range shards {
		if s.Success != nil && !*s.Success {
			return nil, fmt.Errorf("shard %s could not run the query that counts what it owns", s.Shard)
		}
	}
	return shards, nil
}

// of is the shard that would be asked for a document with that key.
func (o *ownership) of(ctx context.Context, key bson.Raw) (topology.ShardID, error) {
	if shard, ok := o.keys[string(key)]; ok {
		return shard, nil
	}
	var got struct {
		Planner struct {
			Plan struct {
				Shards []shardStats `bson:"shards"`
			} `bson:"winningPlan"`
		} `bson:"queryPlanner"`
	}
	elements, err := key.Elements()
	if err != nil {
		return "", err
	}
	var filter bson.D
	for _, e := range elements {
		filter = append(filter, bson.E{Key: e.Key(), Value: bson.D{{Key: "$eq", Value: e.Value()}}})
	}
	if err := o.explain(ctx, bson.D{{Key: "filter", Value: filter}}, "queryPlanner", &got); err != nil {
		return "", err
	}
	shards := got.Planner.Plan.Shards
	if len(shards) != 1 {
		return "", fmt.Errorf("the router names %d shards for the key %s, want its owner alone", len(shards), key)
	}
	o.keys[string(key)] = shards[0].Shard
	return shards[0].Shard, nil
}

// explain explains a find with the collation of shard keys: with another one the router could not follow the key.
func (o *ownership) explain(ctx context.Context, find bson.D, verbosity string, to any) error {
	find = append(bson.D{{Key: "find", Value: o.target.coll}, {Key: "collation", Value: bson.D{{Key: "locale", Value: "simple"}}}}, find...)
	cmd := bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: verbosity}, {Key: "comment", Value: "geoshard verify"}}
	if err := o.router.Database(o.target.db).RunCommand(ctx, cmd).Decode(to); err != nil {
		return fmt.Errorf("ask the router who owns documents (explain): %w", err)
	}
	return nil
}
