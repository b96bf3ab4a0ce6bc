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
	return build(func(dst []byte) []byte {
		primary := "isWritablePrimary"
		if req.name != "hello" {
			primary = "ismaster"
		}
		dst = bsoncore.AppendBooleanElement(dst, primary, true)
		dst = bsoncore.AppendStringElement(dst, "msg", "isdbgrid")
		if truth(field(req.body, "helloOk")) {
			dst = bsoncore.AppendBooleanElement(dst, "helloOk", true)
		}
		dst = bsoncore.AppendInt32Element(dst, "maxBsonObjectSize", maxDocumentSize)
		dst = bsoncore.AppendInt32Element(dst, "maxMessageSizeBytes", wire.MaxMessageSize)
		dst = bsoncore.AppendInt32Element(dst, "maxWriteBatchSize", maxWriteBatch)
		dst = bsoncore.AppendTimeElement(dst, "localTime", time.Now())
		dst = bsoncore.AppendInt32Element(dst, "logicalSessionTimeoutMinutes", logicalSessionTO)
		dst = bsoncore.AppendInt32Element(dst, "connectionId", int32(req.client.id))
		dst = bsoncore.AppendInt32Element(dst, "minWireVersion", 0)
		dst = bsoncore.AppendInt32Element(dst, "maxWireVersion", wireVersion60)
		if mechanisms.Type != 0 {
			dst = bsoncore.AppendValueElement(dst, "saslSupportedMechs", mechanisms)
		}
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	}), nil
}

// startSession invents an id, as a server does: what a session needs comes to be where it is used.
func (r *answers) startSession(context.Context, *request) (bsoncore.Document, error) {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendDocumentElement(dst, "id", newSessionID())
		dst = bsoncore.AppendInt32Element(dst, "timeoutMinutes", logicalSessionTO)
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	}), nil
}
