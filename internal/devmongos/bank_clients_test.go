package devmongos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
)

// bankKeys is the range of the shard key k of accounts and ledger entries.
const bankKeys = 3_000

// A bankRecord gathers what all clients of a run saw.
type bankRecord struct {
	logf func(string, ...any)
	// routerDies is set while a router is killed: then a read may hear that its connection broke.
	routerDies atomic.Bool

	mu sync.Mutex // guards following
	// told is what became of each transfer.
	told map[string]promise
	// committed counts transfers by kind; aborts failed commands by name, code and label; readErrors reads that had to be repeated, by code.
	committed, aborts, readErrors map[string]int
	// reads are those that summed up all accounts, audits those that compared them with the ledger.
	reads, audits int
	wrong         []string
	stall         time.Duration
}

func newBankRecord(logf func(string, ...any)) *bankRecord {
	return &bankRecord{logf: logf, told: map[string]promise{}, committed: map[string]int{}, aborts: map[string]int{}, readErrors: map[string]int{}}
}

func (r *bankRecord) wrongly(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// monitor counts the commands of transactions that failed.
func (r *bankRecord) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Failed: func(_ context.Context, e *event.CommandFailedEvent) {
		label := "no label"
		for _, l := range []string{"TransientTransactionError", "UnknownTransactionCommitResult"} {
			if labelled(e.Failure, l) {
				label = l
			}
		}
		code := codeOf(e.Failure)
		var server driver.Error // what a monitor is told
		if errors.As(e.Failure, &server) && server.Code != 0 {
			code = fmt.Sprint(server.Code)
		}
		kind := fmt.Sprintf("%s: %s %s", e.CommandName, code, label)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.aborts[kind]++; r.aborts[kind] == 1 {
			r.logf("first failure of %s after %v: %v", kind, e.Duration.Round(time.Millisecond), e.Failure)
		}
	}}
}

func labelled(err error, label string) bool {
	var l interface{ HasErrorLabel(string) bool }
	return errors.As(err, &l) && l.HasErrorLabel(label)
}

// A teller makes one transfer after the other.
type teller struct {
	id       int
	client   *mongo.Client
	accounts int
	record   *bankRecord
	chance   chance
	made     int
	// careless makes the transfers without transactions, so that the readers have something to find.
	careless bool
}

func accountName(i int) string { return fmt.Sprintf("account-%02d", i) }

func (b *teller) step(ctx context.Context) {
	from := b.chance.IntN(b.accounts)
	to := (from + 1 + b.chance.IntN(b.accounts-1)) % b.accounts
	order := order{
		transfer: transfer{Token: fmt.Sprintf("%d-%d", b.id, b.made), From: accountName(from), To: accountName(to), Amount: int64(1 + b.chance.IntN(20)), Teller: b.id, Counted: b.chance.percent(20)},
		entryKey: int32(b.chance.IntN(bankKeys)), newKey: -1,
	}
	b.made++
	if b.chance.percent(15) {
		order.newKey = int32(b.chance.IntN(bankKeys))
	}
	b.transfer(ctx, order)
}

// An order is a transfer that is to be made.
type order struct {
	transfer
	// entryKey is the shard key of its entry in the ledger; newKey the one that the paying account gets, -1 to leave it.
	entryKey, newKey int32
}

func (o order) kind() string {
	kind := "plain"
	if o.newKey >= 0 {
		kind = "with a new shard key"
	}
	if o.Counted {
		kind += ", and an unsharded collection"
	}
	return kind
}

// transfer makes a transfer and writes down what it was told.
func (b *teller) transfer(ctx context.Context, o order) {
	began := time.Now()
	err := b.inTransaction(ctx, func(ctx context.Context) error { return b.steps(ctx, o) })
	took := time.Since(began)
	b.record.mu.Lock()
	defer b.record.mu.Unlock()
	b.record.stall = max(b.record.stall, took)
	switch {
	case err == nil:
		b.record.told[o.Token] = promiseCommitted
		b.record.committed[o.kind()]++
		return
	case errors.Is(err, errPoor):
		b.record.told[o.Token] = promiseAborted
		return
	case errors.Is(err, errPay) && mongo.IsDuplicateKeyError(err) && o.newKey >= 0:
		// The shard to which the account would go has an orphan of it, left behind by a chunk that moved away: with a mongos it is the same.
		b.record.told[o.Token] = promiseAborted
		b.record.aborts["refused: orphan of the account in the way"]++
		return
	case mongo.IsDuplicateKeyError(err):
		// Its entry is there already: an earlier attempt was committed, and the driver was told to make another.
		b.record.wrong = append(b.record.wrong, fmt.Sprintf("transfer %s (%s): %v", o.Token, o.kind(), err))
	}
	b.record.told[o.Token] = promiseUnknown
	b.record.aborts["given up: "+codeOf(err)]++
	// The driver repeats what is labelled; what reaches the client otherwise is wrong, unless its time was up.
	if took < patience {
		b.record.wrong = append(b.record.wrong, fmt.Sprintf("transfer %s (%s) after %v: %v", o.Token, o.kind(), took.Round(time.Millisecond), err))
	}
}

func (b *teller) inTransaction(ctx context.Context, steps func(context.Context) error) error {
	if b.careless {
		return steps(ctx)
	}
	session, err := b.client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) { return nil, steps(ctx) },
		options.Transaction().SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority()))
	return err
}

// errPay marks the step that takes the money, and may change the account's shard key.
var errPay = errors.New("pay")

// errPoor ends a transfer that the account cannot pay; the transaction is aborted.
var errPoor = errors.New("not enough money")

type account struct {
	ID      string `bson:"_id"`
	K       int32
	Balance int64
}

func (b *teller) steps(ctx context.Context, o order) error {
	db := b.client.Database("bank")
	cursor, err := db.Collection("accounts").Find(ctx, d("_id", d("$in", bson.A{o.From, o.To})))
	if err != nil {
		return err
	}
	var both []account
	if err := cursor.All(ctx, &both); err != nil {
		return err
	}
	if len(both) != 2 {
		b.record.wrongly("transfer %s: in its transaction %d of its 2 accounts are there", o.Token, len(both))
		return errPoor
	}
	payer, payee := both[0], both[1]
	if payer.ID != o.From {
		payer, payee = payee, payer
	}
	if payer.Balance < o.Amount {
		return errPoor
	}
	pay := d("$inc", d("balance", -o.Amount))
	if o.newKey >= 0 {
		pay = append(pay, bson.E{Key: "$set", Value: d("k", o.newKey)})
	}
	if err := exactlyOne(db.Collection("accounts").UpdateOne(ctx, d("_id", payer.ID, "k", payer.K), pay)); err != nil {
		return fmt.Errorf("%w: %w", errPay, err)
	}
	if _, err := db.Collection("ledger").InsertOne(ctx, d("_id", o.Token, "k", o.entryKey, "from", o.From, "to", o.To, "amount", o.Amount, "teller", o.Teller, "counted", o.Counted)); err != nil {
		return fmt.Errorf("enter: %w", err)
	}
	if o.Counted {
		if err := exactlyOne(db.Collection("totals").UpdateOne(ctx, d("_id", o.Teller), d("$inc", d("n", int64(1))))); err != nil {
			return fmt.Errorf("count: %w", err)
		}
	}
	if err := exactlyOne(db.Collection("accounts").UpdateOne(ctx, d("_id", payee.ID, "k", payee.K), d("$inc", d("balance", o.Amount)))); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	return nil
}

func exactlyOne(r *mongo.UpdateResult, err error) error {
	if err == nil && r.MatchedCount != 1 {
		return fmt.Errorf("matched %d documents, which the transaction has read", r.MatchedCount)
	}
	return err
}

// An auditor sums up all accounts at one time, over and over, and every tenth time compares them with the ledger.
type auditor struct {
	client   *mongo.Client
	accounts int
	record   *bankRecord
	looks    int
	// transaction makes it read in snapshot transactions instead of snapshot sessions.
	transaction bool
	// after are clients whose last operations it has to see: a snapshot may else be older than what another router acknowledged.
	after []*mongo.Client
}

func (a *auditor) step(ctx context.Context) {
	a.look(ctx, a.looks%10 == 9, a.looks%2 == 1)
	a.looks++
}

func (a *auditor) look(ctx context.Context, whole, grouped bool) {
	began := time.Now()
	b, err := a.read(ctx, whole, grouped)
	took := time.Since(began)
	var wrong []string
	switch {
	case err != nil:
		a.failed(err, took)
		return
	case whole:
		wrong = audit(b, a.accounts)
	default:
		wrong = torn(b.accounts, a.accounts)
	}
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	a.record.reads++
	if whole {
		a.record.audits++
	}
	for _, w := range wrong {
		a.record.wrong = append(a.record.wrong, fmt.Sprintf("snapshot (transaction %v): %s", a.transaction, w))
	}
}

// unavailable are the codes that say that data of that time cannot be read any more or not just now (SnapshotTooOld, SnapshotUnavailable,
// StaleChunkHistory, TransactionExceededLifetimeLimitSeconds, which is 10 s here, MigrationConflict), besides those of deadServer.
var unavailable = []string{"239", "246", "250", "290", "316"}

// failed notes a read that did not come to its end. Nothing false was read then.
func (a *auditor) failed(err error, took time.Duration) {
	code := codeOf(err)
	a.record.mu.Lock()
	defer a.record.mu.Unlock()
	a.record.readErrors[code]++
	if took < patience && !(code == "network" && a.record.routerDies.Load()) && !slices.Contains(deadServer, code) && !slices.Contains(unavailable, code) {
		a.record.wrong = append(a.record.wrong, fmt.Sprintf("snapshot (transaction %v) after %v: %v", a.transaction, took.Round(time.Millisecond), err))
	}
}

// read reads the accounts, and the rest of the books if the whole is wanted; grouped balances come by way of an aggregation, whose parts the shards work out.
func (a *auditor) read(ctx context.Context, whole, grouped bool) (b books, err error) {
	o := options.Session()
	if !a.transaction {
		o.SetSnapshot(true)
	}
	session, err := a.client.StartSession(o)
	if err != nil {
		return books{}, err
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	if err := advance(ctx, session, a.after); err != nil {
		return books{}, err
	}
	if !a.transaction {
		return readBooks(mongo.NewSessionContext(ctx, session), a.client, whole, grouped)
	}
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		b, err = readBooks(ctx, a.client, whole, grouped)
		return nil, err
	}, options.Transaction().SetReadConcern(readconcern.Snapshot()))
	return b, err
}

// advance brings a session to the newest time that these clients have been told of.
func advance(ctx context.Context, session *mongo.Session, clients []*mongo.Client) error {
	for _, client := range clients {
		other, err := client.StartSession()
		if err != nil {
			return err
		}
		err = client.Ping(mongo.NewSessionContext(ctx, other), nil)
		other.EndSession(context.WithoutCancel(ctx))
		if err = errors.Join(err, session.AdvanceClusterTime(other.ClusterTime())); err != nil {
			return err
		}
	}
	return nil
}

// readBooks reads the accounts, and what else the bank has if the whole is wanted, in the session of ctx.
func readBooks(ctx context.Context, client *mongo.Client, whole, grouped bool) (books, error) {
	db, b := client.Database("bank"), books{accounts: map[string]int64{}, totals: map[int]int64{}}
	var accounts []account
	read := all
	if grouped {
		read = balances
	}
	if err := read(ctx, db.Collection("accounts"), &accounts); err != nil {
		return books{}, err
	}
	for i, a := range accounts {
		name := a.ID
		if _, twice := b.accounts[name]; twice {
			name = fmt.Sprintf("%s again (%d)", name, i)
		}
		b.accounts[name] = a.Balance
	}
	if !whole {
		return b, nil
	}
	var totals []struct {
		ID int `bson:"_id"`
		N  int64
	}
	if err := errors.Join(all(ctx, db.Collection("ledger"), &b.ledger), all(ctx, db.Collection("totals"), &totals)); err != nil {
		return books{}, err
	}
	for _, t := range totals {
		b.totals[t.ID] = t.N
	}
	return b, nil
}

// balances has the shards and the router sum up what each account holds.
func balances(ctx context.Context, coll *mongo.Collection, into any) error {
	cursor, err := coll.Aggregate(ctx, bson.A{d("$group", d("_id", "$_id", "balance", d("$sum", "$balance")))})
	if err != nil {
		return err
	}
	return cursor.All(ctx, into)
}

func all(ctx context.Context, coll *mongo.Collection, into any) error {
	return found(ctx, coll, bson.D{}, into)
}

func found(ctx context.Context, coll *mongo.Collection, filter bson.D, into any) error {
	cursor, err := coll.Find(ctx, filter)
	if err != nil {
		return err
	}
	return cursor.All(ctx, into)
}
