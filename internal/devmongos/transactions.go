package devmongos

import (
	"maps"
	"slices"
	"sync"
	"time"
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
)

// transactions are those that clients have begun here, and what belongs into one.
type transactions struct {
	catalog    *catalogue
	defaults   *concernDefaults
	statements map[string]handler

	mu sync.Mutex // guards following
	// latest has the newest transaction of each session.
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

func newTransactions(c *catalogue, d *concernDefaults, statements map[string]handler) *transactions {
	return &transactions{catalog: c, defaults: d, statements: statements, latest: map[sessionID]*tracked{}}
}

func (t *transactions) commands() map[string]handler {
	return map[string]handler{
		"endSessions":       t.endSessions,
		"killSessions":      t.endSessions,
		"commitTransaction": acknowledge, // never called: see check and transact
		"abortTransaction":  acknowledge,
	}
}

// enter finds the transaction that a command belongs to, or begins it. former is one of the same session that is thereby over. A nil
// transaction without an error is one that this router knows nothing of, whose commit is to be recovered.
func (t *transactions) enter(req *request) (x, former *transaction, err error) {
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
		known = &tracked{transaction: newTransaction(t.catalog, req.lsid, req.number), clients: map[*client]struct{}{}}
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
func (t *transactions) closed(c *client) {
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
func (t *transactions) of(sessions []sessionID) []*transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(sessions) == 0 {
		sessions = slices.Collect(maps.Keys(t.latest))
	}
	var found []*transaction
	for _, id := range sessions {
		if known := t.latest[id]; known != nil {
			found = append(found, known.transaction)
		}
	}
	return found
}

// overdue returns the transactions that nobody will go on with, and forgets those that ended long ago.
func (t *transactions) overdue(now time.Time) []*transaction {
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
