package devmongos

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A handler answers one command. What it returns goes to the client without internal fields and with operationTime and
// $clusterTime added; an error becomes an answer with ok: 0: *commandError (see refuse) as it says, *replyError as the server said.
// Documents from members are valid until the client is answered if the reply was given to req.hold.
//
// To add a command, write a method of the part that it belongs to and add a row to the table of that part (see newServer, which
// joins them). Names are case-sensitive, as in the server; aliases are rows of their own.
type handler func(ctx context.Context, req *request) (bsoncore.Document, error)

// onCollection is for commands whose first field names a collection. Those of the config servers' own databases go to ofConfig; nil means that they are like others.
func onCollection(run, ofConfig handler) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		switch {
		case req.collection == "":
			return nil, refuse(codeInvalidNamespace, "collection name has invalid type or is empty in command %s", req.name)
		case ofConfig != nil && isConfigDatabase(req.db):
			return ofConfig(ctx, req)
		}
		return run(ctx, req)
	}
}

// adminOnly makes commands refuse any other database, in the server's words.
func adminOnly(rows map[string]handler) map[string]handler {
	for name, run := range rows {
		rows[name] = func(ctx context.Context, req *request) (bsoncore.Document, error) {
			if req.db != "admin" {
				return nil, refuse(codeUnauthorized, "%s may only be run against the admin database.", req.name)
			}
			return run(ctx, req)
		}
	}
	return rows
}

// acknowledge answers what needs no doing here. Sessions live on the members and expire there.
func acknowledge(context.Context, *request) (bsoncore.Document, error) { return okReply, nil }

// checked is for commands whose arguments are looked at before all else.
func checked(check func(body bsoncore.Document) error, run handler) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		if err := check(req.body); err != nil {
			return nil, err
		}
		return run(ctx, req)
	}
}
