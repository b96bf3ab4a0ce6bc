package devmongos

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// transactionCommands are all that may run inside a transaction, as with a mongos: count and the definition commands may not.
var transactionCommands = map[string]handler{
	"find":              (*router).findInTransaction,
	"aggregate":         (*router).aggregateInTransaction,
	"distinct":          (*router).distinctInTransaction,
	"getMore":           (*router).getMoreInTransaction,
	"killCursors":       (*router).killCursors,
	"insert":            (*router).write,
	"update":            (*router).write,
	"delete":            (*router).write,
	"findAndModify":     (*router).findAndModify,
	"findandmodify":     (*router).findAndModify,
	"create":            (*router).createInTransaction,
	"createIndexes":     (*router).createIndexesInTransaction,
	"commitTransaction": nil, // see transact
	"abortTransaction":  nil,
}

// endsTransaction tells that the command is none of the transaction's statements.
func (req *request) endsTransaction() bool {
	return req.name == "commitTransaction" || req.name == "abortTransaction"
}

// checkTransaction refuses what the server refuses of the arguments that make a command part of a transaction.
func (req *request) checkTransaction() error {
	switch run, allowed := transactionCommands[req.name]; {
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
	case !wantsPrimary(req.body):
		return refuse(codeInvalidOptions, "Read preference in a transaction must be primary, not: %s", stringField(documentField(req.body, "$readPreference"), "mode"))
	}
	switch level := stringField(documentField(req.body, "readConcern"), "level"); level {
	case "", "local", "majority", "snapshot":
		return nil
	default:
		return refuse(codeInvalidOptions, "The readConcern level must be either 'local' (default), 'majority' or 'snapshot' in order to run in a transaction")
	}
}

func (req *request) inTransaction() bool { return req.autocommit.Type != 0 }

// transact runs a command that belongs to a transaction. A statement that fails ends the transaction, as in the server; errors that a
// new attempt of the whole transaction may overcome carry the label by which drivers make one.
func (r *router) transact(ctx context.Context, req *request) (doc bsoncore.Document, err error) {
	x, former, err := r.transactions.enter(req)
	if err != nil {
		return nil, withTransientLabel(err, req.endsTransaction())
	}
	if former != nil {
		r.abortAll(ctx, []*transaction{former})
	}
	if x == nil {
		return r.recoverCommit(ctx, req)
	}
	select {
	case <-x.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { x.turn <- struct{}{} }()
	switch req.name {
	case "commitTransaction":
		return r.commitTransaction(ctx, req, x)
	case "abortTransaction":
		return r.abortTransaction(ctx, x)
	}
	doc, err = r.statement(ctx, req, x)
	return doc, withTransientLabel(err, false)
}

// statement runs one statement of the transaction whose turn the caller has.
func (r *router) statement(ctx context.Context, req *request, x *transaction) (doc bsoncore.Document, err error) {
	switch x.state {
	case txnAborted:
		return nil, refuse(codeNoSuchTransaction, "Transaction with { txnNumber: %d } has been aborted.", x.number)
	case txnCommitting:
		return nil, refuse(codeTransactionCommitted, "Transaction with { txnNumber: %d } has been committed.", x.number)
	}
	if req.startTransaction {
		concern, _, err := r.defaults.get(ctx)
		if err != nil {
			return nil, err
		}
		given := appendReadConcern(nil, documentField(req.body, "readConcern"), concern)
		x.concern = documentField(documentOf(given), "readConcern")
	}
	req.txn = x
	doc, err = transactionCommands[req.name](r, ctx, req)
	if neverBegan(req, doc, err) {
		return doc, err
	}
	if err != nil || codeOf(doc) != 0 || field(doc, "writeErrors").Type != 0 {
		x.abort(r.base)
		return doc, err
	}
	return x.withRecoveryToken(doc), nil
}

// neverBegan tells that a pipeline failed before the server looked at its transaction, which therefore goes on: a stage or an argument that
// nobody knows. With the first statement it is different: then there is no transaction to go on.
func neverBegan(req *request, doc bsoncore.Document, err error) bool {
	var answered *replyError
	if errors.As(err, &answered) {
		doc = answered.doc
	}
	return req.name == "aggregate" && !req.startTransaction && doc != nil && isUnknownArgument(codeOf(doc))
}

// isUnknownArgument lists the codes for stages and arguments that do not exist, or are missing.
func isUnknownArgument(code int32) bool {
	switch code {
	case 40323, 40324, 40414, 40415:
		return true
	}
	return false
}

// executeInTransaction sends a part of a statement. A shard that has a part of the transaction already would lose it with the first
// statement that it turns away, and the first word about a namespace that it does not know at the moment always is: so such a word is
// said to it outside of the transaction.
func (r *router) executeInTransaction(ctx context.Context, x *transaction, rt *route, shard topology.ShardID, cmd command) (reply, error) {
	if err := x.admit(rt); err != nil {
		return reply{}, err
	}
	if _, accepted := rt.accepted.Load(shard); !accepted && x.has(shard) {
		rep, err := r.onPrimaryOf(ctx, shard, introduction(rt, shard))
		if err != nil || staleOf(rep.doc) != 0 {
			return rep, err
		}
		rep.buf.release()
	}
	rep, err := x.send(ctx, shard, cmd)
	rt.noteAnswer(shard, rep, err)
	return rep, err
}

// introduction is a read of next to nothing. Its time is limited: what it reads may be locked by the transaction itself.
func introduction(rt *route, shard topology.ShardID) bsoncore.Document {
	const limit = 500 // milliseconds
	_, collection, _ := strings.Cut(rt.ns, ".")
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "find", collection)
		dst = bsoncore.AppendInt32Element(dst, "limit", 1)
		dst = bsoncore.AppendBooleanElement(dst, "singleBatch", true)
		dst = bsoncore.AppendInt32Element(dst, "maxTimeMS", limit)
		dst = appendReadConcern(dst, nil, nil)
		dst = appendVersions(dst, rt, shard)
		return bsoncore.AppendStringElement(dst, "$db", rt.db.name)
	})
}

// documentOf makes a document of encoded elements.
func documentOf(elements []byte) bsoncore.Document {
	return build(func(dst []byte) []byte { return append(dst, elements...) })
}

// withRecoveryToken adds the name of a shard that can tell the outcome, with which the client may commit on any router.
func (x *transaction) withRecoveryToken(doc bsoncore.Document) bsoncore.Document {
	return edit(make([]byte, 0, len(doc)+64), doc, func(name string) bool { return name == "recoveryToken" }, func(dst []byte) []byte {
		return bsoncore.AppendDocumentElement(dst, "recoveryToken", build(func(dst []byte) []byte {
			if x.recovery != "" {
				dst = bsoncore.AppendStringElement(dst, "recoveryShardId", string(x.recovery))
			}
			return dst
		}))
	})
}

const labelTransient = "TransientTransactionError"

// withTransientLabel gives an error of the router's own the label that a mongos would give it. Servers label theirs themselves.
func withTransientLabel(err error, ending bool) error {
	var answered *replyError
	if err == nil || errors.As(err, &answered) {
		return err
	}
	e := *asCommandError(err)
	if isTransient(e.Code, ending) && !slices.Contains(e.Labels, labelTransient) {
		e.Labels = append(slices.Clone(e.Labels), labelTransient)
	}
	return &e
}

// isTransient lists the codes of a failed statement, or of a failed commit or abort (ending), after which the whole transaction may
// be tried again: the server's isTransientTransactionError.
func isTransient(code int32, ending bool) bool {
	switch code {
	case codeWriteConflict, codeLockTimeout, codePreparedInProgress, codeSnapshotTooOld, codeSnapshotUnavailable, codeStaleChunkHistory,
		codeMigrationConflict:
		return true
	case codeNoSuchTransaction:
		return true
	case codeNoReadPreference:
		return !ending
	}
	return isStale(code) || !ending && isRetryable(code)
}
