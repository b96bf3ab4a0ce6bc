package devmongos

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

func (r *answers) sessions() map[string]handler {
	return map[string]handler{
		"hello":           r.hello,
		"isMaster":        r.hello,
		"ismaster":        r.hello,
		"startSession":    r.startSession,
		"ping":            acknowledge,
		"refreshSessions": acknowledge,
	}
}

const (
	wireVersion60    = 17 // maxWireVersion of a 6.0 server
	logicalSessionTO = 30 // minutes, the server's default; endSessions and expiry are left to the members
)

// hello answers as a mongos does. It has no setName, and no topologyVersion: with one, drivers would wait for streamed answers.
func (r *answers) hello(ctx context.Context, req *request) (bsoncore.Document, error) {
	mechanisms := r.logins.mechanisms(ctx, req)
	primary := "isWritablePrimary"
	if req.name != "hello" {
		primary = "ismaster"
	}
	return encode(
		primary, true, "msg", "isdbgrid", when(boolField(req.body, "helloOk"), "helloOk", true),
		"maxBsonObjectSize", maxDocumentSize, "maxMessageSizeBytes", wire.MaxMessageSize, "maxWriteBatchSize", maxWriteBatch, "localTime", time.Now(),
		"logicalSessionTimeoutMinutes", logicalSessionTO, "connectionId", int32(req.client.id), "minWireVersion", 0, "maxWireVersion", wireVersion60,
		when(mechanisms.Type != 0, "saslSupportedMechs", mechanisms),
	)
}

// startSession invents an id, as a server does: what a session needs comes to be where it is used.
func (r *answers) startSession(context.Context, *request) (bsoncore.Document, error) {
	return encode("id", newSessionID(), "timeoutMinutes", logicalSessionTO)
}
