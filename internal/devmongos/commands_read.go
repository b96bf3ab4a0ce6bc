package devmongos

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

var readCommands = map[string]handler{
	"find":        (*router).find,
	"aggregate":   (*router).aggregate,
	"getMore":     (*router).getMore,
	"killCursors": (*router).killCursors,
	"count":       (*router).count,
	"distinct":    (*router).distinct,
	"explain":     (*router).explain,
}

// errManyShards ends a direct read whose documents live on several shards.
var errManyShards = errors.New("several shards")

// find asks one shard directly if only one can have matching documents and its primary is wanted: twice as fast as the way
// through the core, which all other finds go.
func (r *router) find(ctx context.Context, req *request) (bsoncore.Document, error) {
	if v := field(req.body, "find"); v.Type != bsoncore.TypeString && v.Type != bsoncore.TypeBinary {
		return nil, refuse(codeBadValue, "collection name has invalid type %s", v.Type)
	}
	db, collection, err := req.namespace()
	if err != nil {
		return nil, err
	}
	if isConfigDatabase(db) {
		return r.readConfig(ctx, req, db, collection)
	}
	if wantsPrimary(req.body) && !wantsSnapshot(req.body) {
		rep, err := r.readSingle(ctx, req, db, collection, bson.Raw(documentField(req.body, "filter")))
		if err == nil {
			if codeOf(rep.doc) != codeViewOnShard {
				r.cursors.adopt(rep.doc, rep.host, db+"."+collection)
				return rep.doc, nil
			}
		} else if !errors.Is(err, errManyShards) && !errors.Is(err, errNoDatabase) {
			return nil, err
		} else if errors.Is(err, errManyShards) && truth(field(req.body, "tailable")) {
			return nil, refuse(codeBadValue, "tailable cursor requested on non capped collection")
		}
	}
	return r.throughCore(ctx, req, "clusterFind", db+"."+collection)
}

// readSingle runs a read as it is on the one shard that it concerns; errManyShards if there are several.
func (r *router) readSingle(ctx context.Context, req *request, db, collection string, filter bson.Raw) (reply, error) {
	concern, _, err := r.defaults.get(ctx)
	if err != nil {
		return reply{}, err
	}
	return r.runSingle(ctx, req, single{
		db: db, collection: collection, repeatable: true,
		choose: func(rt *route) (topology.ShardID, error) {
			if rt.table == nil {
				return rt.db.primary, nil
			}
			target := rt.table.Target(filter, bson.Raw(documentField(req.body, "collation")))
			if len(target.Shards) != 1 {
				return "", errManyShards
			}
			return target.Shards[0], nil
		},
		body: func(dst []byte) []byte { return appendRead(dst, req.body, concern) },
	})
}

// appendRead appends a client's read for a member: its session stays, a transaction number does not.
func appendRead(dst []byte, body, concern bsoncore.Document) []byte {
	for e := range elements(body) {
		name := string(e.name)
		if !isRouterField(name) && !isTransactionField(name) && name != "readConcern" {
			dst = append(dst, e.raw...)
		}
	}
	return appendReadConcern(dst, documentField(body, "readConcern"), concern)
}

func isTransactionField(name string) bool {
	switch name {
	case "txnNumber", "stmtId", "stmtIds", "autocommit", "startTransaction", "coordinator", "txnRetryCounter":
		return true
	}
	return false
}

// wantsPrimary tells that the read preference is primary, which is also the default.
func wantsPrimary(body bsoncore.Document) bool {
	preference := documentField(body, "$readPreference")
	mode := stringField(preference, "mode")
	return mode == "" || mode == "primary"
}

func isConfigDatabase(db string) bool { return db == "config" || db == "admin" || db == "local" }

// aggregate leaves pipelines to MongoDB's own router code in the core.
func (r *router) aggregate(ctx context.Context, req *request) (bsoncore.Document, error) {
	if err := refuseUnsafe(req.body); err != nil {
		return nil, err
	}
	collection, named := field(req.body, req.name).StringValueOK()
	if named && isConfigDatabase(req.db) && !(req.db == "config" && collection == "system.sessions") {
		return r.readConfig(ctx, req, req.db, collection)
	}
	if !named {
		collection = "$cmd.aggregate"
	}
	return r.throughCore(ctx, req, "clusterAggregate", req.db+"."+collection)
}

// throughCore runs a read as a cluster* command on the core.
func (r *router) throughCore(ctx context.Context, req *request, name, ns string) (bsoncore.Document, error) {
	concern, _, err := r.defaults.get(ctx)
	if err != nil {
		return nil, err
	}
	db, collection, _ := strings.Cut(ns, ".")
	body, err := r.snapshotRead(ctx, db, collection, req.body)
	if err != nil {
		return nil, err
	}
	lsid := r.sessions.take()
	rep, err := r.askCoreFresh(ctx, req, ns, coreRead(body, name, concern, lsid))
	if err != nil {
		return nil, err // the session is not given back: something may still run in it
	}
	if id, place := cursorID(rep.doc); id != 0 {
		binary.LittleEndian.PutUint64(place, uint64(r.cursors.add(remoteCursor{id: id, lsid: lsid, owner: sessionOf(req.lsid), ns: ns})))
	} else {
		r.sessions.give(lsid)
	}
	return rep.doc, nil
}

// coreRead makes the cluster* form of a client's read, in a session of the router's.
func coreRead(body bsoncore.Document, name string, concern, lsid bsoncore.Document) bsoncore.Document {
	given := documentField(body, "readConcern")
	return build(func(dst []byte) []byte {
		first := true
		for e := range elements(body) {
			field := string(e.name)
			switch {
			case first:
				dst = appendRenamed(dst, name, e)
			case !isRouterField(field) && !isTransactionField(field) && field != "readConcern" && field != "lsid":
				dst = append(dst, e.raw...)
			}
			first = false
		}
		dst = bsoncore.AppendDocumentElement(dst, "lsid", lsid)
		return appendReadConcern(dst, given, concern)
	})
}

// askCoreFresh asks the core and, when its routing table is stale, makes it read that again: it never does so by itself for an
// aggregate.
func (r *router) askCoreFresh(ctx context.Context, req *request, ns string, body bsoncore.Document) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, r.cfg.FailoverBudget)
	defer cancel()
	var pace pacer
	for {
		rep, err := r.core.ask(ctx, body)
		if err != nil {
			return reply{}, err
		}
		if !isStale(codeOf(rep.doc)) {
			return req.holdCore(rep), nil
		}
		if !pace.wait(budget) {
			return req.holdCore(rep), ctx.Err()
		}
		// The answer names the collection, which in a $lookup need not be the one aggregated.
		if named := stringField(rep.doc, "ns"); named != "" {
			err = r.core.flush(ctx, named)
		}
		if err == nil {
			err = r.core.flush(ctx, ns)
		}
		rep.buf.release()
		if err != nil {
			return reply{}, err
		}
	}
}

// readConfig runs a read on the config servers' primary, as it is.
func (r *router) readConfig(ctx context.Context, req *request, db, collection string) (bsoncore.Document, error) {
	level := build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, "level", "majority") })
	body := build(func(dst []byte) []byte { return appendRead(dst, req.body, level) })
	rep, err := r.configs.onPrimary(ctx, command{body: body}, true)
	if err != nil {
		return nil, err
	}
	req.hold(rep)
	r.cursors.adopt(rep.doc, rep.host, db+"."+collection)
	return rep.doc, nil
}
