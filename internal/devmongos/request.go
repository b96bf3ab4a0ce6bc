package devmongos

import (
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

// A request is one command of a client while it is being answered.
type request struct {
	client *client
	msg    wire.Message
	// body is the command as it came, name its first field and db its $db. collection is what the first field says if that is a string.
	body                 bsoncore.Document
	name, db, collection string
	// maxTime is maxTimeMS; 0 means that there is none. primary tells that the read preference is primary, which is also the default.
	maxTime time.Duration
	primary bool
	// These are the command's, nil if there are none.
	readConcern, writeConcern, collation bsoncore.Document
	// txnNumber tells that the command carries one (number): outside of transactions that makes it a retryable write.
	txnNumber bool
	number    int64
	// lsid is the client's session; nil if there is none.
	lsid bsoncore.Document
	// autocommit is the command's argument, which is there exactly if it belongs to a transaction.
	autocommit       bsoncore.Value
	startTransaction bool
	// txn is the transaction whose statement this is; nil outside of transactions.
	txn *transaction
	// parent is the client's request that this one is a part of; nil for the client's own.
	parent *request

	mu sync.Mutex // guards following: shards may answer in parallel
	// held are the buffers that the answer may refer to.
	held []*buffer
	// operationTime is the highest of the members' answers, 0 while there is none.
	operationTime uint64
}

func newRequest(c *client, msg wire.Message) *request {
	req := &request{client: c, msg: msg, body: msg.Body, name: nameOf(msg.Body), primary: true}
	req.collection = stringField(req.body, req.name)
	for e := range elements(msg.Body) {
		switch string(e.name) {
		case "$db":
			req.db, _ = e.value.StringValueOK()
		case "$clusterTime":
			if d, ok := e.value.DocumentOK(); ok && c.trusted() {
				c.clock.observe(d)
			}
		case "lsid":
			req.lsid, _ = e.value.DocumentOK()
		case "maxTimeMS":
			req.maxTime = time.Duration(number(e.value)) * time.Millisecond
		case "$readPreference":
			preference, _ := e.value.DocumentOK()
			mode := stringField(preference, "mode")
			req.primary = mode == "" || mode == "primary"
		case "readConcern":
			req.readConcern, _ = e.value.DocumentOK()
		case "writeConcern":
			req.writeConcern, _ = e.value.DocumentOK()
		case "collation":
			req.collation, _ = e.value.DocumentOK()
		case "txnNumber":
			req.txnNumber = true
			req.number = number(e.value)
		case "autocommit":
			req.autocommit = e.value
		case "startTransaction":
			req.startTransaction = truth(e.value)
		}
	}
	return req
}

// ns is the collection's full name.
func (req *request) ns() string { return req.db + "." + req.collection }

// check refuses what no handler can do, whoever asks. Each server has a local database of its own,
// so that a mongos has none to show, nor a user of it to log in (s/commands/strategy.cpp,
// ParseAndRunCommand::RunInvocation::_prologue).
func (req *request) check() error {
	switch {
	case req.db == "" && req.msg.OpCode != wire.OpQuery:
		return refuse(40571, "OP_MSG requests require a $db argument")
	case req.db == systemDatabase:
		return refuse(codeIllegalOperation, "Can't use 'local' database through mongos")
	}
	return nil
}

// part makes a request of the router's own in a transaction, whose answers last as long as the client's.
func (req *request) part(body bsoncore.Document, x *transaction) *request {
	part := newRequest(req.client, wire.Message{Body: body})
	part.txn, part.parent = x, req
	return part
}

// retryable tells that the client may send the command again and it will be executed once.
func (req *request) retryable() bool {
	return req.txnNumber && req.txn == nil && (!req.inTransaction() || req.endsTransaction())
}

// hold keeps a member's answer until the client has been answered, and takes its operationTime.
func (req *request) hold(rep reply) reply {
	return req.keep(rep, rep.buf, field(rep.doc, "operationTime"))
}

// answer is the document of a reply that is held.
func (req *request) answer(rep reply, err error) (bsoncore.Document, error) {
	return req.hold(rep).doc, err
}

// holdCore is hold for answers of the core. Its operationTime is its own, older than that of the shards it asked; the highest time
// that came along is a safe upper bound.
func (req *request) holdCore(rep reply) reply {
	return req.keep(rep, rep.buf, field(documentField(rep.doc, "$clusterTime"), "clusterTime"))
}

// note takes the operationTime of an answer that the request does not hold.
func (req *request) note(rep reply) { req.keep(rep, nil, field(rep.doc, "operationTime")) }

func (req *request) keep(rep reply, buf *buffer, at bsoncore.Value) reply {
	for req.parent != nil {
		req = req.parent
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	if buf != nil {
		req.held = append(req.held, buf)
	}
	req.operationTime = max(req.operationTime, timeOf(at))
	return rep
}

func (req *request) release() {
	for _, b := range req.held {
		b.release()
	}
	req.held = nil
}

// appendAnswer appends the message that answers the client with doc: without what only members tell each other (topologyVersion
// would make drivers stream hello), with the times that sessions go by. The answer is copied once, into dst.
func (req *request) appendAnswer(dst []byte, doc bsoncore.Document) []byte {
	start, dst := wire.AppendReplyStart(dst, req.msg)
	dst = edit(dst, doc, internalFields, func(dst []byte) []byte {
		t := req.operationTime
		if t == 0 {
			// Nobody was asked: like a mongos the router answers the highest time it knows, also with errors.
			t = req.client.clock.now()
		}
		if t != 0 {
			dst = bsoncore.AppendTimestampElement(dst, "operationTime", uint32(t>>32), uint32(t))
		}
		return req.client.clock.appendTo(dst)
	})
	return wire.AppendMsgEnd(dst, start)
}

// arguments are a client's arguments to a command: all but its name and genericFields.
func (req *request) arguments() bson.D {
	return fieldsOf(req.body, genericFields, req.name)
}

// as makes the client's command, with its own arguments, one by another name with more arguments.
func (req *request) as(name string, more ...bson.E) bson.D {
	return fields(name, req.target(), req.arguments(), bson.D(more))
}

// target is the value of the command's first field.
func (req *request) target() bsoncore.Value { return field(req.body, req.name) }

// targetNamespace splits the full name that the command's first field holds, as in {moveChunk: "shop.carts"}.
func (req *request) targetNamespace() (db, collection string, err error) {
	return splitNamespace(stringField(req.body, req.name))
}

// splitNamespace splits "db.collection". The error is a commandError.
func splitNamespace(ns string) (db, collection string, err error) {
	db, collection, ok := strings.Cut(ns, ".")
	if !ok || db == "" || collection == "" {
		return "", "", refuse(codeInvalidNamespace, "invalid namespace specified '%s'", ns)
	}
	return db, collection, nil
}

// endsTransaction tells that the command is none of the transaction's statements.
func (req *request) endsTransaction() bool {
	return req.name == "commitTransaction" || req.name == "abortTransaction"
}

func (req *request) inTransaction() bool { return req.autocommit.Type != 0 }

// A sessionID is the id of an lsid, as bytes.
type sessionID string

func sessionOf(lsid bsoncore.Document) sessionID {
	_, id, _ := field(lsid, "id").BinaryOK()
	return sessionID(id)
}
