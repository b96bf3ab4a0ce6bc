package devmongos

import (
	"sync"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

// A request is one command of a client while it is being answered.
type request struct {
	client *client
	msg    wire.Message
	// body is the command as it came; db its $db and name its first field.
	body     bsoncore.Document
	db, name string
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
	req := &request{client: c, msg: msg, body: msg.Body}
	first := true
	for e := range elements(msg.Body) {
		if first {
			req.name, first = string(e.name), false
		}
		switch string(e.name) {
		case "$db":
			req.db, _ = e.value.StringValueOK()
		case "$clusterTime":
			if d, ok := e.value.DocumentOK(); ok && c.trusted() {
				c.router.clock.observe(d)
			}
		case "lsid":
			req.lsid, _ = e.value.DocumentOK()
		case "txnNumber":
			req.txnNumber = true
			req.number, _ = e.value.AsInt64OK()
		case "autocommit":
			req.autocommit = e.value
		case "startTransaction":
			req.startTransaction = truth(e.value)
		}
	}
	return req
}

// namespace is the collection that the command's first field names. The error is a commandError for anything but a name.
func (req *request) namespace() (db, collection string, err error) {
	collection, ok := field(req.body, req.name).StringValueOK()
	if !ok || collection == "" {
		return "", "", refuse(codeInvalidNamespace, "collection name has invalid type or is empty in command %s", req.name)
	}
	return req.db, collection, nil
}

// check refuses what no handler can do.
func (req *request) check() error {
	if req.db == "" && req.msg.OpCode != wire.OpQuery {
		return refuse(40571, "OP_MSG requests require a $db argument")
	}
	return req.checkTransaction()
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
	if req.parent != nil {
		return req.parent.hold(rep)
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	req.held = append(req.held, rep.buf)
	req.operationTime = max(req.operationTime, timeOf(field(rep.doc, "operationTime")))
	return rep
}

// holdCore is hold for answers of the core. Its operationTime is its own, older than that of the shards it asked; the highest time
// that came along is a safe upper bound.
func (req *request) holdCore(rep reply) reply {
	if req.parent != nil {
		return req.parent.holdCore(rep)
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	req.held = append(req.held, rep.buf)
	req.operationTime = max(req.operationTime, timeOf(field(documentField(rep.doc, "$clusterTime"), "clusterTime")))
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
	dst = edit(dst, doc, isInternalField, func(dst []byte) []byte {
		t := req.operationTime
		if t == 0 {
			// Nobody was asked: like a mongos the router answers the highest time it knows, also with errors.
			t = req.client.router.clock.now()
		}
		if t != 0 {
			dst = bsoncore.AppendTimestampElement(dst, "operationTime", uint32(t>>32), uint32(t))
		}
		return req.client.router.clock.appendTo(dst)
	})
	return wire.AppendMsgEnd(dst, start)
}

func isInternalField(name string) bool {
	switch name {
	case "$clusterTime", "operationTime", "opTime", "electionId", "lastCommittedOpTime", "$gleStats", "topologyVersion",
		"$configTime", "$topologyTime", "readOnly", "shardVersion", "databaseVersion":
		return true
	}
	return false
}
