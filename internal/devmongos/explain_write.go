package devmongos

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// A shardPlan is one shard's answer to explain.
type shardPlan struct {
	shard      topology.ShardID
	connection string
	doc        bsoncore.Document
}

// explainWrite asks every shard to which the first statement would go, and answers as mongos does: one plan, whose parts name their shards.
// A shard's own error is the answer.
func (r *explanations) explainWrite(ctx context.Context, req *request, name string, explained bsoncore.Document) (bsoncore.Document, error) {
	rt, err := r.route(ctx, req.db, req.collection)
	if err != nil {
		return nil, err
	}
	many, err := explainedShards(name, explained, rt)
	if err != nil {
		return nil, err
	}
	plans := make([]shardPlan, len(many))
	for i := range many {
		rep, err := r.runSingle(ctx, req, single{
			repeatable: true,
			choose: func(rt *route) (topology.ShardID, error) {
				if len(many) > 1 {
					return many[i], nil
				}
				// The route may have changed since.
				now, err := explainedShards(name, explained, rt)
				if err != nil {
					return "", err
				}
				many[0] = now[0]
				return now[0], nil
			},
			body: func(dst []byte) []byte { return appendWithout(dst, req.body, isForRouter) },
		})
		if err != nil {
			return nil, err
		}
		if codeOf(rep.doc) != 0 {
			return rep.doc, nil
		}
		set, err := r.shard(ctx, many[i])
		if err != nil {
			return nil, err
		}
		plans[i] = shardPlan{many[i], set.connection(), rep.doc}
	}
	stage := "SHARD_WRITE"
	if statementsField[name] == "" {
		stage = "SINGLE_SHARD" // findAndModify, which mongos counts among the reads here
	}
	return joinPlans(stage, plans, explained)
}

// explainedShards are the shards to which a write would go.
func explainedShards(name string, explained bsoncore.Document, rt *route) ([]topology.ShardID, error) {
	if rt.table == nil {
		return []topology.ShardID{rt.db.primary}, nil
	}
	if statementsField[name] == "" {
		shard, err := destinationOfFindAndModify(rt, documentField(explained, "query"), documentField(explained, "collation"))
		return []topology.ShardID{shard}, err
	}
	statements := arrayValues(field(explained, statementsField[name]))
	if len(statements) != 1 {
		return nil, refuse(codeInvalidLength, "explained write batches must be of size 1")
	}
	to, err := destinationOf(name, statements[0].Data, rt)
	if err != nil {
		return nil, err
	}
	if to.reach == reachOne {
		return []topology.ShardID{to.shard}, nil
	}
	return rt.shards(), nil
}

// joinPlans makes mongos' answer of the shards'.
func joinPlans(stage string, plans []shardPlan, explained bsoncore.Document) (bsoncore.Document, error) {
	winning := bson.D{{Key: "stage", Value: stage}, {Key: "shards", Value: perShard(plans, func(p shardPlan) bson.D {
		return append(bson.D{{Key: "connectionString", Value: p.connection}, {Key: "serverInfo", Value: rawValue(field(p.doc, "serverInfo"))}},
			fieldsOf(documentField(p.doc, "queryPlanner"), "")...)
	})}}
	answer := bson.D{{Key: "queryPlanner", Value: bson.D{{Key: "mongosPlannerVersion", Value: int32(1)}, {Key: "winningPlan", Value: winning}}}}
	if field(plans[0].doc, "executionStats").Type != 0 {
		answer = append(answer, bson.E{Key: "executionStats", Value: joinStats(stage, plans)})
	}
	for _, name := range []string{"serverInfo", "serverParameters"} {
		if v := field(plans[0].doc, name); v.Type != 0 {
			answer = append(answer, bson.E{Key: name, Value: rawValue(v)})
		}
	}
	return encode(append(answer, bson.E{Key: "command", Value: bson.Raw(explained)}))
}

// joinStats adds the shards' counts up.
func joinStats(stage string, plans []shardPlan) bson.D {
	stats := func(p shardPlan) bsoncore.Document { return documentField(p.doc, "executionStats") }
	sums := map[string]int64{}
	longest := int64(0)
	for _, p := range plans {
		for _, name := range []string{"nReturned", "totalKeysExamined", "totalDocsExamined", "executionTimeMillis"} {
			n, _ := intField(stats(p), name)
			sums[name] += n
		}
		n, _ := intField(stats(p), "executionTimeMillis")
		longest = max(longest, n)
	}
	counts := bson.D{
		{Key: "nReturned", Value: int32(sums["nReturned"])}, {Key: "executionTimeMillis", Value: int32(longest)},
		{Key: "totalKeysExamined", Value: int32(sums["totalKeysExamined"])}, {Key: "totalDocsExamined", Value: int32(sums["totalDocsExamined"])},
	}
	stages := slices.Concat(bson.D{{Key: "stage", Value: stage}}, counts, bson.D{
		{Key: "totalChildMillis", Value: sums["executionTimeMillis"]},
		{Key: "shards", Value: perShard(plans, func(p shardPlan) bson.D { return fieldsOf(stats(p), "allPlansExecution") })},
	})
	joined := append(counts, bson.E{Key: "executionStages", Value: stages})
	if field(stats(plans[0]), "allPlansExecution").Type != 0 {
		joined = append(joined, bson.E{Key: "allPlansExecution", Value: perShard(plans, func(p shardPlan) bson.D {
			return bson.D{{Key: "allPlans", Value: rawValue(field(stats(p), "allPlansExecution"))}}
		})})
	}
	return joined
}

// perShard makes an array with a document for each plan, which starts with the shard's name.
func perShard(plans []shardPlan, of func(shardPlan) bson.D) bson.A {
	var shards bson.A
	for _, p := range plans {
		shards = append(shards, append(bson.D{{Key: "shardName", Value: string(p.shard)}}, of(p)...))
	}
	return shards
}

// connection is the set as a connection string names it, "name/host:port,host:port", of the members known now.
func (s *replicaSet) connection() string {
	var hosts []string
	for _, m := range s.list() {
		hosts = append(hosts, m.address)
	}
	slices.Sort(hosts)
	return s.name + "/" + strings.Join(hosts, ",")
}
