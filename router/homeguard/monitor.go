package homeguard

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/geoshard/geoshard/shardkey"
)

// Monitor returns the guard's command monitor, which passes every event on to next (nil = nobody). It sees what is sent, retries of the driver included, so it can count and warn,
// but not refuse.
func (g *Guard) Monitor(next *event.CommandMonitor) *event.CommandMonitor {
	w := &watch{guard: g, pending: map[int64]request{}, cursors: map[int64]cursorCount{}, transactions: map[sessionID]*transaction{}}
	if next == nil {
		next = &event.CommandMonitor{}
	}
	succeeded := func(_ context.Context, e *event.CommandSucceededEvent) { w.succeeded(e) }
	return &event.CommandMonitor{Started: before(w.started, next.Started), Succeeded: before(succeeded, next.Succeeded), Failed: before(w.failed, next.Failed)}
}

// before tells the guard of an event, and then whoever else wants to hear of it.
func before[E any](own, next func(context.Context, E)) func(context.Context, E) {
	return func(ctx context.Context, e E) {
		own(ctx, e)
		if next != nil {
			next(ctx, e)
		}
	}
}

// maxRemembered bounds the cursors and transactions that are remembered; what does not fit is counted as outside.
const maxRemembered = 10_000

// A watch remembers what one client has under way: the cursors and the transactions whose later commands do not say what they are about.
type watch struct {
	guard *Guard

	mu           sync.Mutex
	pending      map[int64]request          // guarded by mu; by the number of the request
	cursors      map[int64]cursorCount      // guarded by mu; by the cursor's id
	transactions map[sessionID]*transaction // guarded by mu; the one that is under way in each session
}

// A request is a read that may open a cursor, or the next batch of one.
type request struct {
	cursorCount
	// cursor is 0 for a read.
	cursor int64
}

// A cursorCount is where the batches of a cursor are counted.
type cursorCount struct {
	shape     *shapeCount
	judgement *Judgement
}

// A sessionID is the UUID of a session.
type sessionID [16]byte

// A transaction is under way.
type transaction struct {
	number int64
	// judgement is that of a statement that left the datacenter, if there was one.
	judgement *Judgement
}

func (w *watch) started(ctx context.Context, e *event.CommandStartedEvent) {
	kind := commandsByName[e.CommandName]
	switch kind {
	case unknownCommand:
		w.end(e)
	case getMoreCommand:
		w.more(ctx, e)
	case commitCommand:
		w.commit(ctx, e)
	default:
		w.statements(ctx, e, kind)
	}
}

// statements counts the statements of a command.
func (w *watch) statements(ctx context.Context, e *event.CommandStartedEvent, kind command) {
	worst := outside
	var last cursorCount
	lastShape := ""
	eachStatement(kind, e.DatabaseName, e.Command, w.guard.options.Here, func(s statement) {
		j := w.guard.judgeStatement(s)
		if name := shapeOf(s); name != lastShape { // a batch repeats one shape mostly
			last.shape, lastShape = w.guard.tally.shape(name), name
		}
		w.guard.count(ctx, s.command, last.shape, j)
		if worst == outside || j.Cross {
			worst = j
		}
	})
	last.judgement = worst
	if kind == findCommand || kind == aggregateCommand {
		w.remember(e.RequestID, request{cursorCount: last})
	}
	if inTransaction(e.Command) {
		w.join(e.Command, worst)
	}
}

func (w *watch) remember(number int64, r request) {
	if r.shape == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.pending) < maxRemembered {
		w.pending[number] = r
	}
}

// failed forgets a request. Its cursor stays: whether it is gone depends on the error.
func (w *watch) failed(_ context.Context, e *event.CommandFailedEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pending, e.RequestID)
}

// succeeded learns the cursor that a read has opened, and that a cursor is at its end.
func (w *watch) succeeded(e *event.CommandSucceededEvent) {
	if kind := commandsByName[e.CommandName]; kind != findCommand && kind != aggregateCommand && kind != getMoreCommand {
		return
	}
	id, _ := valueAt(documentAt(e.Reply, "cursor"), "id").AsInt64OK()
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.pending[e.RequestID]
	delete(w.pending, e.RequestID)
	switch {
	case !ok:
	case id == 0:
		delete(w.cursors, r.cursor)
	case r.cursor == 0:
		w.makeRoom()
		w.cursors[id] = r.cursorCount
	}
}

// makeRoom forgets any cursor if there are too many: the program does not end them. The caller holds mu.
func (w *watch) makeRoom() {
	for old := range w.cursors {
		if len(w.cursors) < maxRemembered {
			return
		}
		delete(w.cursors, old)
	}
}

// more counts a further batch with the shape that opened its cursor.
func (w *watch) more(ctx context.Context, e *event.CommandStartedEvent) {
	id, _ := valueAt(e.Command, commandNames[getMoreCommand]).AsInt64OK()
	w.mu.Lock()
	c, ok := w.cursors[id]
	w.mu.Unlock()
	if ok {
		w.remember(e.RequestID, request{c, id})
	} else {
		c = cursorCount{w.guard.tally.shape(commandNames[getMoreCommand] + " of an unknown cursor"), outside}
	}
	w.guard.count(ctx, getMoreCommand, c.shape, c.judgement)
}

// end forgets what other commands end: cursors and transactions.
func (w *watch) end(e *event.CommandStartedEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.CommandName {
	case "killCursors":
		for _, v := range shardkey.Elements(arrayAt(e.Command, "cursors")) {
			id, _ := v.AsInt64OK()
			delete(w.cursors, id)
		}
	case "abortTransaction":
		if id, ok := sessionOf(e.Command); ok {
			delete(w.transactions, id)
		}
	}
}

// join adds a statement's judgement to its transaction.
func (w *watch) join(cmd bson.Raw, j *Judgement) {
	id, ok := sessionOf(cmd)
	if !ok {
		return
	}
	number, _ := valueAt(cmd, "txnNumber").AsInt64OK()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.transactions[id]
	if t == nil || t.number != number {
		if t == nil && len(w.transactions) >= maxRemembered {
			return
		}
		t = &transaction{number: number, judgement: j}
		w.transactions[id] = t
	}
	if j.Cross || t.judgement == outside {
		t.judgement = j
	}
}

// commit counts the commit of a transaction by what its statements touched. It is kept, as a commit may be repeated, until the session begins another.
func (w *watch) commit(ctx context.Context, e *event.CommandStartedEvent) {
	id, ok := sessionOf(e.Command)
	number, _ := valueAt(e.Command, "txnNumber").AsInt64OK()
	w.mu.Lock()
	t := w.transactions[id]
	w.mu.Unlock()
	j := outside
	if ok && t != nil && t.number == number {
		j = t.judgement
	}
	w.guard.count(ctx, commitCommand, w.guard.tally.shape(commandNames[commitCommand]), j)
}

// sessionOf is the session of a command.
func sessionOf(cmd bson.Raw) (id sessionID, ok bool) {
	_, data, ok := valueAt(documentAt(cmd, "lsid"), "id").BinaryOK()
	if !ok || len(data) != len(id) {
		return id, false
	}
	return sessionID(data), true
}
