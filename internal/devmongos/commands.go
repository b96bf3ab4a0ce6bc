package devmongos

import (
	"context"
	"maps"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A handler answers one command. What it returns goes to the client without internal fields and with operationTime and
// $clusterTime added; an error becomes an answer with ok: 0: *commandError (see refuse) as it says, *replyError as the server said.
// Documents from members are valid until the client is answered if the reply was given to req.hold.
//
// To add a command, write a method of *router with this signature and add a row "name": (*router).method to one of the tables
// that commandTable joins, or add a table there. Names are case-sensitive, as in the server; aliases are rows of their own.
type handler func(r *router, ctx context.Context, req *request) (bsoncore.Document, error)

// commandTable joins the tables of all commands. Whatever is in none of them is answered with CommandNotFound and never sent on.
func commandTable() map[string]handler {
	joined := map[string]handler{}
	for _, table := range []map[string]handler{
		sessionCommands,
		readCommands,
		writeCommands,
		definitionCommands,
		listingCommands,
		statsCommands,
		shardingCommands,
		chunkCommands,
		serverCommands,
		authCommands,
		userCommands,
	} {
		maps.Copy(joined, table)
	}
	return joined
}
