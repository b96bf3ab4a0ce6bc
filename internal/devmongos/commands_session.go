package devmongos

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

var sessionCommands = map[string]handler{
	"hello":             (*router).hello,
	"isMaster":          (*router).hello,
	"ismaster":          (*router).hello,
	"ping":              (*router).acknowledge,
	"startSession":      (*router).startSession,
	"endSessions":       (*router).endSessions,
	"refreshSessions":   (*router).acknowledge,
	"killSessions":      (*router).endSessions,
	"commitTransaction": (*router).acknowledge, // never called: see request.checkTransaction and router.transact
	"abortTransaction":  (*router).acknowledge,
}

const (
	// The limits of every server since 3.6.
	maxDocumentSize  = 16 << 20
	maxWriteBatch    = 100_000
	wireVersion60    = 17 // maxWireVersion of a 6.0 server
	logicalSessionTO = 30 // minutes, the server's default; endSessions and expiry are left to the members
)

// hello answers as a mongos does. It has no setName, and no topologyVersion: with one, drivers would wait for streamed answers.
func (r *router) hello(ctx context.Context, req *request) (bsoncore.Document, error) {
	mechanisms := r.mechanisms(ctx, field(req.body, "saslSupportedMechs"))
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
func (r *router) startSession(context.Context, *request) (bsoncore.Document, error) {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendDocumentElement(dst, "id", newSessionID())
		dst = bsoncore.AppendInt32Element(dst, "timeoutMinutes", logicalSessionTO)
		return bsoncore.AppendDoubleElement(dst, "ok", 1)
	}), nil
}

var okReply = build(func(dst []byte) []byte { return bsoncore.AppendDoubleElement(dst, "ok", 1) })

// acknowledge answers what needs no doing here. Sessions live on the members and expire there.
func (r *router) acknowledge(context.Context, *request) (bsoncore.Document, error) {
	return okReply, nil
}

// endSessions aborts what the sessions have left open. Sessions themselves live on the members and expire there.
func (r *router) endSessions(ctx context.Context, req *request) (bsoncore.Document, error) {
	var ended []sessionID
	for _, lsid := range arrayValues(field(req.body, req.name)) {
		ended = append(ended, sessionOf(lsid.Data))
	}
	if len(ended) > 0 {
		r.abortAll(ctx, r.transactions.of(ended))
	}
	return okReply, nil
}
