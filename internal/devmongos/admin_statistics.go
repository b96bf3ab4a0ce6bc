package devmongos

import (
	"context"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// statistics add up what the shards say of their parts.
type statistics struct{ *router }

func (r *statistics) commands() map[string]handler {
	rows := adminOnly(map[string]handler{"listDatabases": r.listDatabases})
	maps.Copy(rows, map[string]handler{
		"dbStats":   r.dbStats,
		"dbstats":   r.dbStats,
		"collStats": r.collStats,
		"collstats": r.collStats,
		"dataSize":  r.dataSize,
		"datasize":  r.dataSize,
		"validate":  r.validate,
	})
	return rows
}

// A databaseSize is an entry of listDatabases.
type databaseSize struct {
	Name  string `bson:"name"`
	Size  int64  `bson:"sizeOnDisk"`
	Empty bool   `bson:"empty"`
}

// listDatabases adds up the sizes on all shards; admin and config are the config servers'. A filter on the size sees the size on each
// shard, as in mongos.
func (r *statistics) listDatabases(ctx context.Context, req *request) (bsoncore.Document, error) {
	shards, err := r.allShards(ctx)
	if err != nil {
		return nil, err
	}
	cmd := req.as("listDatabases")
	answers, err := r.onEach(ctx, req, shards, "admin", func(topology.ShardID) bson.D { return cmd })
	if err != nil {
		return nil, err
	}
	system, err := r.administer(ctx, req, "admin", cmd)
	if err != nil {
		return nil, err
	}
	sizes := map[string]*databaseSize{}
	for _, answer := range append(answers, shardAnswer{doc: system}) {
		if err := addDatabases(sizes, answer.doc, answer.shard == ""); err != nil {
			return nil, err
		}
	}
	return databaseList(sizes, truth(field(req.body, "nameOnly")))
}

// addDatabases adds one server's databases. Each member has a local one, which is its own business.
func addDatabases(sizes map[string]*databaseSize, answer bsoncore.Document, ofConfigServers bool) error {
	for _, v := range arrayValues(field(answer, "databases")) {
		var entry databaseSize
		if err := bson.Unmarshal(v.Data, &entry); err != nil {
			return err
		}
		if entry.Name == "local" || isConfigDatabase(entry.Name) != ofConfigServers {
			continue
		}
		sum := sizes[entry.Name]
		if sum == nil {
			sum = &databaseSize{Name: entry.Name, Empty: true}
			sizes[entry.Name] = sum
		}
		sum.Size += entry.Size
		sum.Empty = sum.Empty && entry.Empty
	}
	return nil
}

func databaseList(sizes map[string]*databaseSize, nameOnly bool) (bsoncore.Document, error) {
	list := bson.A{}
	var total int64
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		if nameOnly {
			list = append(list, bson.D{{Key: "name", Value: name}})
			continue
		}
		list = append(list, *sizes[name])
		total += sizes[name].Size
	}
	answer := bson.D{{Key: "databases", Value: list}}
	if !nameOnly {
		answer = append(answer, bson.E{Key: "totalSize", Value: total}, bson.E{Key: "totalSizeMb", Value: total >> 20})
	}
	return encode(answer)
}

func (r *statistics) dbStats(ctx context.Context, req *request) (bsoncore.Document, error) {
	shards, err := r.allShards(ctx)
	if err != nil {
		return nil, err
	}
	cmd := req.as("dbStats")
	answers, err := r.onEach(ctx, req, shards, req.db, func(topology.ShardID) bson.D { return cmd })
	if err != nil {
		return nil, err
	}
	sums := sum(answers, "collections", "views", "objects", "dataSize", "storageSize", "freeStorageSize", "indexes", "indexSize",
		"indexFreeStorageSize", "totalSize", "totalFreeStorageSize", "fsUsedSize", "fsTotalSize")
	head := bson.D{rawAnswers(answers), {Key: "db", Value: req.db}, {Key: "avgObjSize", Value: ratio(sums, "dataSize", "objects")}}
	return encode(slices.Concat(head, sums, bson.D{{Key: "scaleFactor", Value: scaleOf(req)}}))
}

func scaleOf(req *request) float64 {
	if scale, ok := intField(req.body, "scale"); ok {
		return float64(scale)
	}
	return 1
}

// sum adds up the named numbers of the answers; one that no answer has is left out.
func sum(answers []shardAnswer, names ...string) bson.D {
	var sums bson.D
	for _, name := range names {
		total, found := 0.0, false
		for _, a := range answers {
			if v := field(a.doc, name); v.IsNumber() {
				number, _ := v.AsFloat64OK()
				total, found = total+number, true
			}
		}
		if found {
			sums = append(sums, bson.E{Key: name, Value: wholeNumber(total)})
		}
	}
	return sums
}

// wholeNumber keeps counts integers, which drivers want to decode them as; sizes fit as well.
func wholeNumber(total float64) any {
	if whole := int64(total); float64(whole) == total {
		return whole
	}
	return total
}

// ratio is one sum by another, 0 if that is 0.
func ratio(sums bson.D, dividend, divisor string) float64 {
	number := map[string]float64{}
	for _, e := range sums {
		switch v := e.Value.(type) {
		case int64:
			number[e.Key] = float64(v)
		case float64:
			number[e.Key] = v
		}
	}
	if number[divisor] == 0 {
		return 0
	}
	return number[dividend] / number[divisor]
}

func (r *statistics) collStats(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, rt, err := r.askOwners(ctx, req, "collStats", req.ns())
	if err != nil {
		return nil, err
	}
	if rt == nil {
		return encode(bson.D{{Key: "sharded", Value: false}, {Key: "ns", Value: req.db + "." + stringField(req.body, req.name)},
			{Key: "count", Value: 0}, {Key: "size", Value: 0}, {Key: "storageSize", Value: 0}, {Key: "nindexes", Value: 0}, {Key: "totalIndexSize", Value: 0}})
	}
	sums := sum(answers, "count", "numOrphanDocs", "size", "storageSize", "freeStorageSize", "totalIndexSize", "totalSize")
	head := bson.D{
		{Key: "sharded", Value: rt.table != nil}, {Key: "ns", Value: rt.ns}, {Key: "capped", Value: truth(field(answers[0].doc, "capped"))},
		{Key: "nindexes", Value: most(answers, "nindexes")}, {Key: "nchunks", Value: chunkCount(rt)},
		{Key: "avgObjSize", Value: ratio(sums, "size", "count")}, {Key: "indexSizes", Value: indexSizes(answers)},
	}
	shards := rawAnswers(answers)
	shards.Key = "shards"
	if rt.table == nil {
		head = append(head, bson.E{Key: "primary", Value: string(rt.db.primary)})
	}
	return encode(slices.Concat(head, sums, bson.D{{Key: "scaleFactor", Value: scaleOf(req)}, shards}))
}

func chunkCount(rt *route) int {
	if rt.table == nil {
		return 1
	}
	return len(rt.table.Chunks())
}

func most(answers []shardAnswer, name string) (highest int64) {
	for _, a := range answers {
		n, _ := intField(a.doc, name)
		highest = max(highest, n)
	}
	return highest
}

func indexSizes(answers []shardAnswer) bson.M {
	sizes := map[string]int64{}
	for _, a := range answers {
		for e := range elements(documentField(a.doc, "indexSizes")) {
			size, _ := e.value.AsInt64OK()
			sizes[string(e.name)] += size
		}
	}
	shown := bson.M{}
	for name, size := range sizes {
		shown[name] = size
	}
	return shown
}

func (r *statistics) dataSize(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, _, err := r.askOwners(ctx, req, "dataSize", req.collection)
	if err != nil {
		return nil, err
	}
	return encode(slices.Concat(bson.D{{Key: "estimate", Value: false}}, sum(answers, "size", "numObjects", "millis")))
}

// validate is valid if the collection is on every shard that holds part of it.
func (r *statistics) validate(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, rt, err := r.askOwners(ctx, req, "validate", req.ns())
	if err != nil {
		return nil, err
	}
	if rt == nil {
		return nil, refuse(codeNamespaceNotFound, "Collection '%s.%s' does not exist to validate.", req.db, stringField(req.body, req.name))
	}
	valid := !slices.ContainsFunc(answers, func(a shardAnswer) bool { return !truth(field(a.doc, "valid")) })
	return encode(slices.Concat(bson.D{{Key: "valid", Value: valid}}, sum(answers, "nrecords", "nInvalidDocuments"), bson.D{rawAnswers(answers)}))
}
