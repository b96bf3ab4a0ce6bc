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
			body: func(dst []byte) []byte {
				for e := range elements(req.body) {
					if field := string(e.name); !isRouterField(field) && !isTransactionField(field) {
						dst = append(dst, e.raw...)
					}
				}
				return dst
			},
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
	return joinPlans(stage, plans, explained), nil
}

// explainedShards are the shards to which a write would go.
func explainedShards(name string, explained bsoncore.Document, rt *route) ([]topology.ShardID, error) {
	if rt.table == nil {
		return []topology.ShardID{rt.db.primary}, nil
	}
	if statementsField[name] == "" {
		target := rt.table.Target(bson.Raw(documentField(explained, "query")), bson.Raw(documentField(explained, "collation")))
		if target.Key == nil {
			return nil, refuse(codeShardKeyNotFound, "Query for sharded findAndModify must contain the shard key")
		}
		return target.Shards[:1], nil
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
func joinPlans(stage string, plans []shardPlan, explained bsoncore.Document) bsoncore.Document {
	return build(func(dst []byte) []byte {
		dst = appendPlans(dst, stage, plans)
		if field(plans[0].doc, "executionStats").Type != 0 {
			dst = appendStats(dst, stage, plans)
		}
		for _, name := range []string{"serverInfo", "serverParameters"} {
			if v := field(plans[0].doc, name); v.Type != 0 {
				dst = bsoncore.AppendValueElement(dst, name, v)
			}
		}
		dst = bsoncore.AppendDocumentElement(dst, "command", explained)
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	})
}

func appendPlans(dst []byte, stage string, plans []shardPlan) []byte {
	return bsoncore.AppendDocumentElement(dst, "queryPlanner", build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt32Element(dst, "mongosPlannerVersion", 1)
		return bsoncore.AppendDocumentElement(dst, "winningPlan", build(func(dst []byte) []byte {
			dst = bsoncore.AppendStringElement(dst, "stage", stage)
			return appendPerShard(dst, "shards", plans, func(dst []byte, p shardPlan) []byte {
				dst = bsoncore.AppendStringElement(dst, "connectionString", p.connection)
				dst = bsoncore.AppendValueElement(dst, "serverInfo", field(p.doc, "serverInfo"))
				for e := range elements(documentField(p.doc, "queryPlanner")) {
					dst = append(dst, e.raw...)
				}
				return dst
			})
		}))
	}))
}

// appendStats adds the shards' counts up.
func appendStats(dst []byte, stage string, plans []shardPlan) []byte {
	stats := func(p shardPlan) bsoncore.Document { return documentField(p.doc, "executionStats") }
	var returned, keys, docs, longest, all int64
	for _, p := range plans {
		for name, sum := range map[string]*int64{"nReturned": &returned, "totalKeysExamined": &keys, "totalDocsExamined": &docs, "executionTimeMillis": &all} {
			n, _ := intField(stats(p), name)
			*sum += n
		}
		n, _ := intField(stats(p), "executionTimeMillis")
		longest = max(longest, n)
	}
	counts := func(dst []byte) []byte {
		for _, c := range []struct {
			name string
			n    int64
		}{{"nReturned", returned}, {"executionTimeMillis", longest}, {"totalKeysExamined", keys}, {"totalDocsExamined", docs}} {
			dst = bsoncore.AppendInt32Element(dst, c.name, int32(c.n))
		}
		return dst
	}
	return bsoncore.AppendDocumentElement(dst, "executionStats", build(func(dst []byte) []byte {
		dst = bsoncore.AppendDocumentElement(counts(dst), "executionStages", build(func(dst []byte) []byte {
			dst = counts(bsoncore.AppendStringElement(dst, "stage", stage))
			dst = bsoncore.AppendInt64Element(dst, "totalChildMillis", all)
			return appendPerShard(dst, "shards", plans, func(dst []byte, p shardPlan) []byte {
				for e := range elements(stats(p)) {
					if string(e.name) != "allPlansExecution" {
						dst = append(dst, e.raw...)
					}
				}
				return dst
			})
		}))
		if field(stats(plans[0]), "allPlansExecution").Type == 0 {
			return dst
		}
		return appendPerShard(dst, "allPlansExecution", plans, func(dst []byte, p shardPlan) []byte {
			return bsoncore.AppendValueElement(dst, "allPlans", field(stats(p), "allPlansExecution"))
		})
	}))
}

// appendPerShard appends an array with a document for each plan, which starts with the shard's name.
func appendPerShard(dst []byte, name string, plans []shardPlan, fill func([]byte, shardPlan) []byte) []byte {
	var values []bsoncore.Value
	for _, p := range plans {
		values = append(values, documentValue(build(func(dst []byte) []byte {
			return fill(bsoncore.AppendStringElement(dst, "shardName", string(p.shard)), p)
		})))
	}
	return bsoncore.BuildArrayElement(dst, name, values...)
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
