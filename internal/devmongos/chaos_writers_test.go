package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// chaosBudget is how long a client waits for one operation: longer than the router waits for a primary.
	chaosBudget = 45 * time.Second
	// patience is the time after which an error may say that there was no primary for too long. The router waits 20 s
	// by default; an error long before is a wrong one, because elections here take 2 to 5 s.
	patience = 15 * time.Second
	// keySpace is the range of the shard key k.
	keySpace = 12_000
	// perCounter bounds the list of tokens in a counter.
	perCounter = 100
)

// A ledger gathers what all clients of a chaos run saw.
type ledger struct {
	// routerDies is set while a router is killed: then a client may hear that its connection broke twice, which is once more than drivers repeat.
	routerDies atomic.Bool

	mu sync.Mutex // guards following
	// attempts are all writes; acked are the tokens of acknowledged inserts with their keys, for the readers.
	attempts []attempt
	acked    []insertion
	// done counts acknowledged operations by kind, errors the failed ones by kind and code, wrong what must not be.
	done   map[string]int
	errors map[string]int
	wrong  []string
	stall  time.Duration
}

// An insertion is an acknowledged document: its _id, its shard key and its writer.
type insertion struct {
	token  string
	k      int32
	writer int
}

func newLedger() *ledger { return &ledger{done: map[string]int{}, errors: map[string]int{}} }

func (l *ledger) wrongly(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// ended records an operation's end and says whether it was acknowledged. An error is right only if it says that no
// primary was found, or that time was up, after a time in which every election here is over.
func (l *ledger) ended(kind string, err error, took time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stall = max(l.stall, took)
	if err == nil {
		l.done[kind]++
		return true
	}
	code := codeOf(err)
	l.errors[fmt.Sprintf("%s: %s", kind, code)]++
	if code == "network" && l.routerDies.Load() {
		return false
	}
	if took < patience || !slices.Contains([]string{"133", "50", "262", "deadline"}, code) {
		l.wrong = append(l.wrong, fmt.Sprintf("%s after %v: %v", kind, took.Round(time.Millisecond), err))
	}
	return false
}

// deadServer are the codes that say that the server which held a cursor is gone, or is no primary any more:
// HostUnreachable, HostNotFound, CursorNotFound, NetworkTimeout, ShutdownInProgress, FailedToSatisfyReadPreference,
// PrimarySteppedDown, CursorKilled, SocketException, NotWritablePrimary, the two Interrupted ones, the two NotPrimary ones.
var deadServer = []string{"6", "7", "43", "89", "91", "133", "189", "237", "9001", "10107", "11600", "11602", "13435", "13436"}

// interrupted records that a scan ended early. A cursor dies with its server, and no driver can repeat a getMore.
func (l *ledger) interrupted(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	code := codeOf(err)
	l.errors["cursor of a scan: "+code]++
	if !slices.Contains(deadServer, code) && !(code == "network" && l.routerDies.Load()) {
		l.wrong = append(l.wrong, fmt.Sprintf("cursor of a scan: %v", err))
	}
}

// codeOf is the server's code as text, or what kept the driver from having one.
func codeOf(err error) string {
	var server mongo.ServerError
	switch {
	case errors.As(err, &server) && len(server.ErrorCodes()) > 0 && server.ErrorCodes()[0] != 0: // a cursor's broken connection is a command's error with code 0
		return fmt.Sprint(server.ErrorCodes()[0])
	case errors.Is(err, context.DeadlineExceeded), mongo.IsTimeout(err):
		return "deadline"
	case mongo.IsNetworkError(err):
		return "network"
	}
	return err.Error()
}

// A writer makes one write after the other.
type writer struct {
	id     int
	coll   *mongo.Collection
	ledger *ledger
	chance chance
	n      int
	// counters are this writer's counters, used up one after the other; each on another chunk.
	counters []int32
	used     int
}

func (w *writer) token() string { w.n++; return fmt.Sprintf("w%d-%d", w.id, w.n) }

func (w *writer) step(ctx context.Context) {
	pickOf(w.chance, []func(context.Context){w.insert, w.increment, w.increment, w.findAndModify, w.bulk})(ctx)
}

// counter is the filter of the counter in use; a new one is made when that one's list is full.
func (w *writer) counter(ctx context.Context) (bson.D, bool) {
	if len(w.counters) == 0 || w.used >= perCounter {
		k := w.chance.Int32N(keySpace)
		id := fmt.Sprintf("counter-%d-%d", w.id, len(w.counters))
		began := time.Now()
		_, err := w.coll.InsertOne(ctx, d("_id", id, "k", k, "n", int64(0), "tokens", bson.A{}))
		if !w.ledger.ended("new counter", err, time.Since(began)) {
			// Whether it is there is not known; the number is not used again.
			w.counters, w.used = append(w.counters, k), perCounter
			return nil, false
		}
		w.counters, w.used = append(w.counters, k), 0
	}
	w.used++
	last := len(w.counters) - 1
	return d("_id", fmt.Sprintf("counter-%d-%d", w.id, last), "k", w.counters[last]), true
}

func mark(token string) bson.D { return d("$inc", d("n", int64(1)), "$push", d("tokens", token)) }

func (w *writer) remember(acknowledged bool, tokens ...string) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for _, token := range tokens {
		w.ledger.attempts = append(w.ledger.attempts, attempt{token, acknowledged})
	}
}

func (w *writer) insert(ctx context.Context) {
	token, k := w.token(), w.chance.Int32N(keySpace)
	began := time.Now()
	_, err := w.coll.InsertOne(ctx, d("_id", token, "k", k, "w", w.id))
	acknowledged := w.ledger.ended("insert", err, time.Since(began))
	w.remember(acknowledged, token)
	if acknowledged {
		w.ledger.mu.Lock()
		w.ledger.acked = append(w.ledger.acked, insertion{token, k, w.id})
		w.ledger.mu.Unlock()
	}
}

func (w *writer) increment(ctx context.Context) {
	filter, ok := w.counter(ctx)
	if !ok {
		return
	}
	token, began := w.token(), time.Now()
	r, err := w.coll.UpdateOne(ctx, filter, mark(token))
	acknowledged := w.ledger.ended("increment", err, time.Since(began))
	if acknowledged && (r.MatchedCount != 1 || r.ModifiedCount != 1) {
		w.ledger.wrongly("increment %s of %s: answered matched %d, modified %d", token, text(filter), r.MatchedCount, r.ModifiedCount)
	}
	w.remember(acknowledged, token)
}

func (w *writer) findAndModify(ctx context.Context) {
	filter, ok := w.counter(ctx)
	if !ok {
		return
	}
	token, began := w.token(), time.Now()
	var after struct {
		N      int64
		Tokens []string
	}
	err := w.coll.FindOneAndUpdate(ctx, filter, mark(token), options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&after)
	acknowledged := w.ledger.ended("findAndModify", err, time.Since(began))
	// Nobody else writes to this counter, so the answer ends with this write.
	if acknowledged && (after.N != int64(len(after.Tokens)) || after.N == 0 || after.Tokens[len(after.Tokens)-1] != token) {
		w.ledger.wrongly("findAndModify %s of %s: answered n %d and %v", token, text(filter), after.N, after.Tokens)
	}
	w.remember(acknowledged, token)
}

// bulk inserts and increments in one command per kind, over several shards.
func (w *writer) bulk(ctx context.Context) {
	filter, ok := w.counter(ctx)
	if !ok {
		return
	}
	var models []mongo.WriteModel
	var tokens []string
	ordered := w.chance.percent(50)
	for range 2 + w.chance.IntN(8) {
		token := w.token()
		tokens = append(tokens, token)
		if w.chance.percent(60) {
			models = append(models, mongo.NewInsertOneModel().SetDocument(d("_id", token, "k", w.chance.Int32N(keySpace), "w", w.id)))
		} else {
			models = append(models, mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(mark(token)))
		}
	}
	kind := "bulk unordered"
	if ordered {
		kind = "bulk ordered"
	}
	began := time.Now()
	r, err := w.coll.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(ordered))
	acknowledged := w.ledger.ended(kind, err, time.Since(began))
	if acknowledged && r.InsertedCount+r.ModifiedCount != int64(len(models)) {
		w.ledger.wrongly("%s of %d: answered inserted %d, modified %d", kind, len(models), r.InsertedCount, r.ModifiedCount)
	}
	w.remember(acknowledged, tokens...)
}

// A reader checks that what was acknowledged before its read is in the answer exactly once.
type reader struct {
	coll   *mongo.Collection
	ledger *ledger
	chance chance
	scans  bool
	// writers is how many there are, whose documents are scanned.
	writers int
}

func (r *reader) step(ctx context.Context) {
	if r.scans {
		r.scan(ctx, r.chance.IntN(r.writers))
	} else {
		r.point(ctx)
	}
}

// point reads one acknowledged document by its key. Drivers retry such reads, so no error is expected.
func (r *reader) point(ctx context.Context) {
	r.ledger.mu.Lock()
	acked := r.ledger.acked
	r.ledger.mu.Unlock()
	if len(acked) == 0 {
		_ = r.coll.Database().Client().Ping(ctx, nil) // nothing to read yet; one round trip is the wait
		return
	}
	want, began := pickOf(r.chance, acked), time.Now()
	var got struct{ W int }
	err := r.coll.FindOne(ctx, d("k", want.k, "_id", want.token)).Decode(&got)
	if errors.Is(err, mongo.ErrNoDocuments) {
		r.ledger.wrongly("read of acknowledged %s (k %d): not found", want.token, want.k)
		err = nil
	}
	r.ledger.ended("point read", err, time.Since(began))
}

// scan reads all documents of a writer over all shards.
func (r *reader) scan(ctx context.Context, writer int) {
	r.ledger.mu.Lock()
	want := map[string]bool{}
	for _, i := range r.ledger.acked {
		if i.writer == writer {
			want[i.token] = true
		}
	}
	r.ledger.mu.Unlock()
	began := time.Now()
	cursor, err := r.coll.Find(ctx, d("w", writer), options.Find().SetProjection(d("_id", 1)).SetBatchSize(200))
	if err != nil {
		r.ledger.ended("scan", err, time.Since(began))
		return
	}
	seen := map[string]int{}
	for cursor.Next(ctx) {
		seen[cursor.Current.Lookup("_id").StringValue()]++
	}
	if err := cursor.Err(); err != nil {
		r.ledger.interrupted(err)
		return
	}
	for token := range maps.Keys(want) {
		if seen[token] == 0 {
			r.ledger.wrongly("scan: acknowledged %s is missing", token)
		}
	}
	for token, n := range seen {
		if n > 1 {
			r.ledger.wrongly("scan: %s came %d times", token, n)
		}
	}
	r.ledger.ended("scan", nil, time.Since(began))
}
