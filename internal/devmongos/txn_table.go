package devmongos

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// txnLifetime is after how long a transaction is given up: the servers' own transactionLifetimeLimitSeconds.
	txnLifetime = 60 * time.Second
	// txnMemory is how long an ended transaction is remembered for repeated commits. Later ones are answered with the help of
	// the client's recovery token, as on another router.
	txnMemory = 5 * time.Minute
	// txnAbandoned is how long an open transaction outlives the last connection that carried its statements: a pool may close
	// one and go on with another.
	txnAbandoned = 2 * time.Second
	// txnReapInterval is how often transactions are looked through.
	txnReapInterval = 500 * time.Millisecond
	// abortTimeout is how long an abort waits for shards that do not answer; they abort on their own when the lifetime is over.
	abortTimeout = 2 * time.Second
)

// A sessionID is the id of an lsid, as bytes.
type sessionID string

func sessionOf(lsid bsoncore.Document) sessionID {
	_, id, _ := field(lsid, "id").BinaryOK()
	return sessionID(id)
}

// transactionTable has the newest transaction of each session.
type transactionTable struct {
	mu     sync.Mutex // guards following
	latest map[sessionID]*tracked
}

// A tracked transaction is an entry of the table.
type tracked struct {
	*transaction
	// clients are the open connections that carried its statements.
	clients map[*client]struct{}
	// deserted is when the last of these was closed; zero while there is one.
	deserted time.Time
}

func newTransactionTable() *transactionTable {
	return &transactionTable{latest: map[sessionID]*tracked{}}
}

// enter finds the transaction that a command belongs to, or begins it. former is one of the same session that is thereby over. A nil
// transaction without an error is one that this router knows nothing of, whose commit is to be recovered.
func (t *transactionTable) enter(req *request) (x, former *transaction, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := sessionOf(req.lsid)
	known := t.latest[id]
	switch {
	case known != nil && req.number < known.number:
		return nil, nil, refuse(codeTransactionTooOld, "txnNumber %d is less than last txnNumber %d seen in session", req.number, known.number)
	case req.startTransaction && known != nil && req.number == known.number:
		return nil, nil, refuse(codeConflictingOperation, "txnNumber %d for session already started", req.number)
	case req.startTransaction:
		if known != nil {
			former = known.transaction
		}
		known = &tracked{transaction: newTransaction(req.client.router, req.lsid, req.number), clients: map[*client]struct{}{}}
		t.latest[id] = known
	case known == nil || req.number != known.number:
		if req.name == "commitTransaction" {
			return nil, nil, nil
		}
		return nil, nil, refuse(codeNoSuchTransaction, "cannot continue txnNumber %d: no such transaction on this router", req.number)
	}
	known.clients[req.client] = struct{}{}
	known.deserted = time.Time{}
	return known.transaction, former, nil
}

// closed is told of every connection that ends.
func (t *transactionTable) closed(c *client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, known := range t.latest {
		if _, ok := known.clients[c]; !ok {
			continue
		}
		delete(known.clients, c)
		if len(known.clients) == 0 {
			known.deserted = time.Now()
		}
	}
}

// of returns the newest transactions of some sessions; of all if there are none given.
func (t *transactionTable) of(sessions []sessionID) []*transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*transaction
	if len(sessions) == 0 {
		for _, known := range t.latest {
			found = append(found, known.transaction)
		}
	}
	for _, id := range sessions {
		if known := t.latest[id]; known != nil {
			found = append(found, known.transaction)
		}
	}
	return found
}

// overdue returns the transactions that nobody will go on with, and forgets those that ended long ago.
func (t *transactionTable) overdue(now time.Time) []*transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	var over []*transaction
	for id, known := range t.latest {
		age := now.Sub(known.began)
		switch {
		case age > txnMemory:
			delete(t.latest, id)
		case age > txnLifetime, !known.deserted.IsZero() && now.Sub(known.deserted) > txnAbandoned:
			over = append(over, known.transaction)
		}
	}
	return over
}

// reapTransactions aborts transactions that were left open, until ctx ends; then all that are still open.
func (r *router) reapTransactions(ctx context.Context) {
	tick := time.NewTicker(txnReapInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			r.abortAll(context.WithoutCancel(ctx), r.transactions.of(nil))
			return
		case now := <-tick.C:
			r.abortAll(ctx, r.transactions.overdue(now))
		}
	}
}

// abortAll aborts transactions that are open and not at work.
func (r *router) abortAll(ctx context.Context, list []*transaction) {
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
