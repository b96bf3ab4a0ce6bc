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
			body: func(dst []byte) []byte { return appendWithout(dst, req.body, forRouter) },
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
	first := plans[0].doc
	winning := fields("stage", stage, "shards", perShard(plans, func(p shardPlan) bson.D {
		return fields("connectionString", p.connection, "serverInfo", field(p.doc, "serverInfo"), fieldsOf(documentField(p.doc, "queryPlanner"), nil))
	}))
	return encode(
		"queryPlanner", fields("mongosPlannerVersion", 1, "winningPlan", winning),
		when(field(first, "executionStats").Type != 0, "executionStats", joinStats(stage, plans)),
		given(first, "serverInfo", "serverParameters"), "command", explained,
	)
}

// joinStats adds the shards' counts up.
func joinStats(stage string, plans []shardPlan) bson.D {
	stats := func(p shardPlan) bsoncore.Document { return documentField(p.doc, "executionStats") }
	sum := func(name string) (total int64) {
		for _, p := range plans {
			total += intField(stats(p), name)
		}
		return total
	}
	longest := int64(0)
	for _, p := range plans {
		longest = max(longest, intField(stats(p), "executionTimeMillis"))
	}
	counts := fields(
		"nReturned", int32(sum("nReturned")), "executionTimeMillis", int32(longest),
		"totalKeysExamined", int32(sum("totalKeysExamined")), "totalDocsExamined", int32(sum("totalDocsExamined")),
	)
	stages := fields("stage", stage, counts, "totalChildMillis", sum("executionTimeMillis"),
		"shards", perShard(plans, func(p shardPlan) bson.D { return fieldsOf(stats(p), nil, "allPlansExecution") }))
	allPlans := field(stats(plans[0]), "allPlansExecution")
	return fields(counts, "executionStages", stages, when(allPlans.Type != 0, "allPlansExecution", perShard(plans, func(p shardPlan) bson.D {
		return fields("allPlans", field(stats(p), "allPlansExecution"))
	})))
}

// perShard makes an array with a document for each plan, which starts with the shard's name.
func perShard(plans []shardPlan, of func(shardPlan) bson.D) bson.A {
	var shards bson.A
	for _, p := range plans {
		shards = append(shards, fields("shardName", p.shard, of(p)))
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
