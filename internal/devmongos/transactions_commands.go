package devmongos

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// transact runs a command that belongs to a transaction. A statement that fails ends the transaction, as in the server; errors that a
// new attempt of the whole transaction may overcome carry the label by which drivers make one.
func (t *transactions) transact(ctx context.Context, req *request) (doc bsoncore.Document, err error) {
	x, former, err := t.enter(req)
	if err != nil {
		return nil, withTransientLabel(err, req.endsTransaction())
	}
	if former != nil {
		t.abortAll(ctx, []*transaction{former})
	}
	if x == nil {
		return t.recoverCommit(ctx, req)
	}
	select {
	case <-x.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { x.turn <- struct{}{} }()
	switch req.name {
	case "commitTransaction":
		return t.commitTransaction(ctx, req, x)
	case "abortTransaction":
		return t.abortTransaction(ctx, x)
	}
	doc, err = t.statement(ctx, req, x)
	return doc, withTransientLabel(err, false)
}

// statement runs one statement of the transaction whose turn the caller has.
func (t *transactions) statement(ctx context.Context, req *request, x *transaction) (doc bsoncore.Document, err error) {
	if err := x.over(); err != nil {
		return nil, err
	}
	if req.startTransaction {
		concern, _, err := t.defaults.get(ctx)
		if err != nil {
			return nil, err
		}
		x.concern = documentField(build(func(dst []byte) []byte { return appendReadConcern(dst, req.readConcern, concern) }), "readConcern")
	}
	req.txn = x
	doc, err = t.statements[req.name](ctx, req)
	if neverBegan(req, doc, err) {
		return doc, err
	}
	if err != nil || codeOf(doc) != 0 || field(doc, "writeErrors").Type != 0 {
		x.abort(t.catalog.base)
		return doc, err
	}
	return x.withRecoveryToken(doc), nil
}

// neverBegan tells that a pipeline failed before the server looked at its transaction, which therefore goes on: a stage or an argument that
// nobody knows. With the first statement it is different: then there is no transaction to go on.
func neverBegan(req *request, doc bsoncore.Document, err error) bool {
	if answer := answerIn(err); answer != nil {
		doc = answer
	}
	return req.name == "aggregate" && !req.startTransaction && doc != nil && isUnknownArgument(codeOf(doc))
}

// withRecoveryToken adds the name of a shard that can tell the outcome, with which the client may commit on any router.
func (x *transaction) withRecoveryToken(doc bsoncore.Document) bsoncore.Document {
	return withField(doc, "recoveryToken", fields(when(x.recovery != "", "recoveryShardId", x.recovery)))
}

// commitTransaction answers the client's commit, also a repeated one.
func (t *transactions) commitTransaction(ctx context.Context, req *request, x *transaction) (bsoncore.Document, error) {
	if x.state == txnAborted {
		return nil, withTransientLabel(x.over(), true)
	}
	concern, err := t.defaults.ofCommit(ctx, req.writeConcern)
	if err != nil {
		return nil, err
	}
	x.state = txnCommitting
	rep, err := x.commit(ctx, concern)
	if err != nil {
		return nil, err
	}
	if rep.doc == nil {
		return okReply, nil
	}
	if codeOf(req.holdCore(rep).doc) == codeNoSuchTransaction {
		x.abandon(t.catalog.base)
	}
	return rep.doc, nil
}

// recoverCommit answers a commit of a transaction that this router knows nothing of, because it ran on another one, or on this one
// before it was started anew. The shard in the client's token knows the outcome; if there is none yet it aborts.
func (t *transactions) recoverCommit(ctx context.Context, req *request) (bsoncore.Document, error) {
	token := documentField(req.body, "recoveryToken")
	if token == nil {
		return nil, refuse(50940, "cannot commit with no participants")
	}
	shard := topology.ShardID(stringField(token, "recoveryShardId"))
	if shard == "" {
		return nil, withTransientLabel(refuse(codeNoSuchTransaction,
			"Recovery token is empty, meaning the transaction only performed reads and can be safely retried"), true)
	}
	concern, err := t.defaults.ofCommit(ctx, req.writeConcern)
	if err != nil {
		return nil, err
	}
	x := newTransaction(t.catalog, req.lsid, req.number)
	rep, err := x.coordinate(ctx, shard, concern)
	return req.holdCore(rep).doc, err
}

func (t *transactions) abortTransaction(ctx context.Context, x *transaction) (bsoncore.Document, error) {
	if err := x.over(); err != nil {
		return nil, withTransientLabel(err, true)
	}
	x.abort(ctx)
	return okReply, nil
}

// reap aborts transactions that were left open, until ctx ends; then all that are still open.
func (t *transactions) reap(ctx context.Context) {
	every(ctx, txnReapInterval, func(now time.Time) { t.abortAll(ctx, t.overdue(now)) })
	t.abortAll(context.WithoutCancel(ctx), t.of(nil))
}

// abortAll aborts transactions that are open and not at work.
func (t *transactions) abortAll(ctx context.Context, list []*transaction) {
	for _, x := range list {
		select {
		case <-x.turn:
			if x.state == txnOpen {
				x.abort(ctx)
			}
			x.turn <- struct{}{}
		default: // a statement runs; it ends by itself, and with its client
		}
	}
}

// check refuses what the server refuses of the arguments that make a command part of a transaction.
func (t *transactions) check(req *request) error {
	switch run, allowed := t.statements[req.name]; {
	case !req.inTransaction() && req.endsTransaction():
		return refuse(codeInvalidOptions, "%s must be run within a transaction", req.name)
	case !req.inTransaction() && req.startTransaction:
		return refuse(codeInvalidOptions, "Specifying startTransaction=true requires autocommit=false")
	case !req.inTransaction():
		return nil
	case truth(req.autocommit):
		return refuse(codeInvalidOptions, "Specifying autocommit=true is not allowed.")
	case !req.txnNumber:
		return refuse(codeInvalidOptions, "'autocommit' field requires a transaction number to also be specified")
	case req.lsid == nil:
		return refuse(codeInvalidOptions, "Transaction number requires a session ID to also be specified")
	case !allowed:
		return refuse(codeNotInTransaction, "Cannot run '%s' in a multi-document transaction.", req.name)
	case req.startTransaction && (run == nil || req.name == "getMore" || req.name == "killCursors"):
		return refuse(codeNotInTransaction, "Cannot run '%s' as the first operation in a multi-document transaction.", req.name)
	case run == nil:
		return nil
	case isConfigDatabase(req.db):
		return refuse(codeNotInTransaction, "Cannot run command against the '%s' database in a transaction.", req.db)
	case field(req.body, "writeConcern").Type != 0:
		return refuse(codeInvalidOptions, "writeConcern is not allowed within a multi-statement transaction")
	case !req.startTransaction && field(req.body, "readConcern").Type != 0:
		return refuse(codeInvalidOptions, "Only the first command in a transaction may specify a readConcern")
	case !req.primary:
		return refuse(codeInvalidOptions, "Read preference in a transaction must be primary, not: %s", stringField(documentField(req.body, "$readPreference"), "mode"))
	}
	switch level := stringField(req.readConcern, "level"); level {
	case "", "local", "majority", "snapshot":
		return nil
	default:
		return refuse(codeInvalidOptions, "The readConcern level must be either 'local' (default), 'majority' or 'snapshot' in order to run in a transaction")
	}
}

// endSessions aborts what the sessions have left open. Sessions themselves live on the members and expire there.
func (t *transactions) endSessions(ctx context.Context, req *request) (bsoncore.Document, error) {
	var ended []sessionID
	for _, lsid := range arrayValues(field(req.body, req.name)) {
		ended = append(ended, sessionOf(lsid.Data))
	}
	if len(ended) > 0 {
		t.abortAll(ctx, t.of(ended))
	}
	return okReply, nil
}
