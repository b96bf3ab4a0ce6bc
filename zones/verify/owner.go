package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

const (
	// routerAnswersWithin bounds a question to the router where a shard may be silent, and any question that takes no counting.
	routerAnswersWithin = 30 * time.Second
	// routerAnswersAgainWithin bounds one where a shard was silent before: other collections may be on other shards.
	routerAnswersAgainWithin = 3 * time.Second
)

// codeNamespaceNotFound: there is no such collection, or no such database.
const codeNamespaceNotFound = 26

// byShard counts documents of each shard.
type byShard map[topology.ShardID]int64

// A shardStats is what one shard says of a query that it ran behind its ownership filter.
type shardStats struct {
	Shard    topology.ShardID `bson:"shardName"`
	Success  *bool            `bson:"executionSuccess"`
	Returned int64            `bson:"nReturned"`
	Examined int64            `bson:"totalDocsExamined"`
}

// An explained find is what the router says of one that is carried out on shards.
type explained struct {
	Planner struct {
		Plan struct {
			Shards []shardStats `bson:"shards"`
			Stage  string
			Query  struct{ Stage string } `bson:"queryPlan"`
		} `bson:"winningPlan"`
	} `bson:"queryPlanner"`
	Stats struct {
		Stages struct {
			Shards []shardStats `bson:"shards"`
		} `bson:"executionStages"`
	} `bson:"executionStats"`
}

// empty reports whether there is no such collection, as servers say it since 7.3:
// serverversion.EOFPlan.
func (e explained) empty() bool {
	plan := e.Planner.Plan
	return len(plan.Shards) == 0 && (plan.Stage == "EOF" || plan.Query.Stage == "EOF")
}

// countOwned counts the documents of a class that each shard owns.
func (i *inspection) countOwned(ctx context.Context, class string) (counts byShard, err error) {
	counts, known := i.owned[class]
	if !known {
		counts, err = i.count(ctx, bson.E{Key: "filter", Value: i.rule.is(class)}, func(s shardStats) int64 { return s.Returned })
		if err == nil {
			i.owned[class] = counts
		}
	}
	return counts, err
}

// countUnowned counts the documents that each shard holds and does not own. It lacks the shards that own nothing of the collection: the router does not
// ask them.
func (i *inspection) countUnowned(ctx context.Context) (byShard, error) {
	// The natural order reads each document once, so what was examined and not returned was not owned.
	return i.count(ctx, bson.E{Key: "hint", Value: bson.M{"$natural": 1}}, func(s shardStats) int64 { return s.Examined - s.Returned })
}

// count explains a find that is carried out on every shard, and takes a number from what each one says.
func (i *inspection) count(ctx context.Context, find bson.E, of func(shardStats) int64) (byShard, error) {
	counts := byShard{}
	got, err := i.explain(ctx, find, "executionStats")
	if hasCode(err, codeNamespaceNotFound) {
		return counts, nil // there is no such database, and no shard owns anything of it
	}
	if err != nil {
		return nil, err
	}
	if got.empty() {
		return counts, nil
	}
	shards := got.Stats.Stages.Shards
	if len(shards) == 0 {
		return nil, errors.New("explain names no shard that ran the query")
	}
	for _, s := range shards {
		if s.Success != nil && !*s.Success {
			return nil, fmt.Errorf("shard %s could not run the query that counts what it owns", s.Shard)
		}
		counts[s.Shard] = of(s)
	}
	return counts, nil
}

// ownerOf is the shard that would be asked for a document with that key; empty where only a shard
// that owns such a document could tell, and none does.
func (i *inspection) ownerOf(ctx context.Context, key bson.Raw) (topology.ShardID, error) {
	if shard, ok := i.owners[string(key)]; ok {
		return shard, nil
	}
	elements, err := key.Elements()
	if err != nil {
		return "", err
	}
	var filter bson.D
	comparable := true
	for _, e := range elements {
		is := bson.M{"$eq": e.Value()}
		if e.Value().Type == bson.TypeUndefined {
			is, comparable = bson.M{"$type": "undefined"}, false
		}
		filter = append(filter, bson.E{Key: e.Key(), Value: is})
	}
	if !comparable {
		return i.holderOf(ctx, key, filter)
	}
	got, err := i.explain(ctx, bson.E{Key: "filter", Value: filter}, "queryPlanner")
	if err != nil {
		return "", err
	}
	shards := got.Planner.Plan.Shards
	if len(shards) != 1 {
		return "", fmt.Errorf("the router names %d shards for the key %s, want its owner alone", len(shards), key)
	}
	i.owners[string(key)] = shards[0].Shard
	return shards[0].Shard, nil
}

// holderOf is the shard that owns documents with a key that no query compares to, so that the router
// cannot go by it: with undefined in it. It asks all shards.
func (i *inspection) holderOf(ctx context.Context, key bson.Raw, filter bson.D) (holder topology.ShardID, err error) {
	counts, err := i.count(ctx, bson.E{Key: "filter", Value: filter}, func(s shardStats) int64 { return s.Returned })
	if err != nil {
		return "", err
	}
	for shard, n := range counts {
		if n > 0 {
			holder = shard
		}
	}
	i.owners[string(key)] = holder
	return holder, nil
}

// patience is how long to wait for the router.
func (v *verifier) patience() time.Duration {
	if v.silent {
		return routerAnswersAgainWithin
	}
	return routerAnswersWithin
}

// explain explains a find with the collation of shard keys: with another one the router could not follow the key.
func (i *inspection) explain(ctx context.Context, by bson.E, verbosity string) (got explained, err error) {
	if i.unanswered != nil {
		return got, i.unanswered
	}
	caller := ctx
	if i.lost || verbosity == "queryPlanner" {
		bounded, cancel := context.WithTimeout(ctx, i.patience())
		defer cancel()
		ctx = bounded
	}
	coll := i.collection(i.router)
	find := bson.D{{Key: "find", Value: coll.Name()}, {Key: "collation", Value: bson.M{"locale": "simple"}}, by}
	cmd := bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: verbosity}, {Key: "comment", Value: "geoshard verify"}}
	if err := coll.Database().RunCommand(ctx, cmd).Decode(&got); err != nil {
		err = fmt.Errorf("ask the router who owns documents (explain): %w", err)
		const codeFailedToSatisfyReadPreference = 133 // the router found no primary of a shard for long enough
		if caller.Err() == nil && (ctx.Err() != nil || hasCode(err, codeFailedToSatisfyReadPreference)) {
			i.lost, i.silent, i.unanswered = true, true, err
		}
		return got, err
	}
	return got, nil
}
