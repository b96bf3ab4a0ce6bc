package devmongos

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
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
	answer := bson.D{{Key: primary, Value: true}, {Key: "msg", Value: "isdbgrid"}}
	if truth(field(req.body, "helloOk")) {
		answer = append(answer, bson.E{Key: "helloOk", Value: true})
	}
	answer = append(answer, bson.D{
		{Key: "maxBsonObjectSize", Value: int32(maxDocumentSize)}, {Key: "maxMessageSizeBytes", Value: int32(wire.MaxMessageSize)},
		{Key: "maxWriteBatchSize", Value: int32(maxWriteBatch)}, {Key: "localTime", Value: time.Now()},
		{Key: "logicalSessionTimeoutMinutes", Value: int32(logicalSessionTO)}, {Key: "connectionId", Value: int32(req.client.id)},
		{Key: "minWireVersion", Value: int32(0)}, {Key: "maxWireVersion", Value: int32(wireVersion60)},
	}...)
	if mechanisms.Type != 0 {
		answer = append(answer, bson.E{Key: "saslSupportedMechs", Value: rawValue(mechanisms)})
	}
	return encode(answer)
}

// startSession invents an id, as a server does: what a session needs comes to be where it is used.
func (r *answers) startSession(context.Context, *request) (bsoncore.Document, error) {
	return encode(bson.D{{Key: "id", Value: bson.Raw(newSessionID())}, {Key: "timeoutMinutes", Value: int32(logicalSessionTO)}})
}
