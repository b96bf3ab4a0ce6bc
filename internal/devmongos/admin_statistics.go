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
	answers, err := r.askAll(ctx, req, "listDatabases")
	if err != nil {
		return nil, err
	}
	system, err := r.administer(ctx, req, "admin", req.as("listDatabases"))
	if err != nil {
		return nil, err
	}
	sizes := map[string]*databaseSize{}
	for _, answer := range append(answers, shardAnswer{doc: system}) {
		if err := addDatabases(sizes, answer.doc, answer.shard == ""); err != nil {
			return nil, err
		}
	}
	return databaseList(sizes, boolField(req.body, "nameOnly"))
}

// askAll runs a command with the client's arguments on every shard.
func (r *statistics) askAll(ctx context.Context, req *request, name string) ([]shardAnswer, error) {
	shards, err := r.allShards(ctx)
	if err != nil {
		return nil, err
	}
	cmd := req.as(name)
	return r.onEach(ctx, req, shards, req.db, func(topology.ShardID) bson.D { return cmd })
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
			list = append(list, fields("name", name))
			continue
		}
		list = append(list, *sizes[name])
		total += sizes[name].Size
	}
	return encode("databases", list, when(!nameOnly, "totalSize", total, "totalSizeMb", total>>20))
}

func (r *statistics) dbStats(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, err := r.askAll(ctx, req, "dbStats")
	if err != nil {
		return nil, err
	}
	sums := sum(answers, "collections", "views", "objects", "dataSize", "storageSize", "freeStorageSize", "indexes", "indexSize",
		"indexFreeStorageSize", "totalSize", "totalFreeStorageSize", "fsUsedSize", "fsTotalSize")
	return encode(rawAnswers(answers), "db", req.db, "avgObjSize", ratio(answers, "dataSize", "objects"), sums, "scaleFactor", scaleOf(req))
}

func scaleOf(req *request) float64 {
	if scale, ok := field(req.body, "scale").AsInt64OK(); ok {
		return float64(scale)
	}
	return 1
}

// sum adds up the named numbers of the answers; one that no answer has is left out.
func sum(answers []shardAnswer, names ...string) bson.D {
	var sums bson.D
	for _, name := range names {
		if number, found := total(answers, name); found {
			sums = append(sums, bson.E{Key: name, Value: wholeNumber(number)})
		}
	}
	return sums
}

// total adds up one number; found tells that an answer has it.
func total(answers []shardAnswer, name string) (number float64, found bool) {
	for _, a := range answers {
		if v := field(a.doc, name); v.IsNumber() {
			n, _ := v.AsFloat64OK()
			number, found = number+n, true
		}
	}
	return number, found
}

// wholeNumber keeps counts integers, which drivers want to decode them as; sizes fit as well.
func wholeNumber(total float64) any {
	if whole := int64(total); float64(whole) == total {
		return whole
	}
	return total
}

// ratio is one sum by another, 0 if that is 0.
func ratio(answers []shardAnswer, dividend, divisor string) float64 {
	number, _ := total(answers, dividend)
	by, _ := total(answers, divisor)
	if by == 0 {
		return 0
	}
	return number / by
}

func (r *statistics) collStats(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, rt, err := r.askOwners(ctx, req, "collStats", req.ns())
	if err != nil {
		return nil, err
	}
	if rt == nil {
		return encode("sharded", false, "ns", req.ns(), "count", 0, "size", 0, "storageSize", 0, "nindexes", 0, "totalIndexSize", 0)
	}
	sharded, chunks := rt.table != nil, 1
	if sharded {
		chunks = len(rt.table.Chunks())
	}
	return encode(
		"sharded", sharded, "ns", rt.ns, "capped", boolField(answers[0].doc, "capped"), "nindexes", most(answers, "nindexes"), "nchunks", chunks,
		"avgObjSize", ratio(answers, "size", "count"), "indexSizes", indexSizes(answers), when(!sharded, "primary", rt.db.primary),
		sum(answers, "count", "numOrphanDocs", "size", "storageSize", "freeStorageSize", "totalIndexSize", "totalSize"),
		"scaleFactor", scaleOf(req), "shards", rawAnswers(answers).Value,
	)
}

func most(answers []shardAnswer, name string) (highest int64) {
	for _, a := range answers {
		highest = max(highest, intField(a.doc, name))
	}
	return highest
}

func indexSizes(answers []shardAnswer) map[string]int64 {
	sizes := map[string]int64{}
	for _, a := range answers {
		for e := range elements(documentField(a.doc, "indexSizes")) {
			sizes[string(e.name)] += number(e.value)
		}
	}
	return sizes
}

func (r *statistics) dataSize(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, _, err := r.askOwners(ctx, req, "dataSize", req.collection)
	if err != nil {
		return nil, err
	}
	return encode("estimate", false, sum(answers, "size", "numObjects", "millis"))
}

// validate is valid if the collection is on every shard that holds part of it.
func (r *statistics) validate(ctx context.Context, req *request) (bsoncore.Document, error) {
	answers, rt, err := r.askOwners(ctx, req, "validate", req.ns())
	if err != nil {
		return nil, err
	}
	if rt == nil {
		return nil, refuse(codeNamespaceNotFound, "Collection '%s' does not exist to validate.", req.ns())
	}
	valid := !slices.ContainsFunc(answers, func(a shardAnswer) bool { return !boolField(a.doc, "valid") })
	return encode("valid", valid, sum(answers, "nrecords", "nInvalidDocuments"), rawAnswers(answers))
}
