package devmongos

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/topology"
)

// A txnState says what may still happen to a transaction.
type txnState int

const (
	_ txnState = iota // unknown
	// txnOpen: statements may come.
	txnOpen
	// txnCommitting: a commit was sent, whatever came of it. Only further commits may come, which ask for the outcome.
	txnCommitting
	// txnAborted: nothing of it will stay.
	txnAborted
)

// A transaction is what the router knows of a client's multi-document transaction. The documents, the locks and the outcome are the
// shards': a router that is gone loses nothing but the ability to go on with open transactions.
type transaction struct {
	catalog *catalogue
	lsid    bsoncore.Document
	number  int64
	began   time.Time
	// turn holds one token, taken by whoever works on the transaction: one statement at a time, as in the server.
	turn chan struct{}

	// The fields up to mu are used by the holder of the turn alone.
	state   txnState
	concern bsoncore.Document // readConcern of the first statement, with a level
	// settledReads tells that the read-only participants have been let go, so that only the writing one decides.
	settledReads bool

	mu sync.Mutex // guards following: statements reach several shards at once
	// atClusterTime is the one time that all participants of a snapshot transaction read at; 0 until it is chosen.
	atClusterTime uint64
	// participants in the order they joined. The first one coordinates the commit.
	participants []*participant
	// recovery is the first shard that wrote: it can tell the outcome to any router.
	recovery topology.ShardID
}

// A participant is a shard that has a part of the transaction.
type participant struct {
	shard topology.ShardID
	// readOnly is what the shard said last.
	readOnly bool
}

func newTransaction(c *catalogue, lsid bsoncore.Document, number int64) *transaction {
	x := &transaction{catalog: c, lsid: bytes.Clone(lsid), number: number, began: time.Now(), turn: make(chan struct{}, 1), state: txnOpen}
	x.turn <- struct{}{}
	return x
}

// send executes a statement's part on one shard's primary, as the first one there with all that a shard needs to know to take part.
// If a shard that had no part yet turns the statement away because the routing was out of date, it still has none afterwards and the
// statement may be sent anew, there or elsewhere; if it had one, that is lost and with it the transaction (see lost).
func (x *transaction) send(ctx context.Context, shard topology.ShardID, cmd command) (reply, error) {
	set, err := x.catalog.shard(ctx, shard)
	if err != nil {
		return reply{}, err
	}
	x.mu.Lock()
	p, joins := x.participant(shard), false
	alone := len(x.participants) == 0
	if p == nil {
		p, joins = &participant{shard: shard, readOnly: true}, true
		x.participants = append(x.participants, p)
		x.chooseTime()
	}
	cmd.body = x.dress(cmd.body, joins, alone)
	if alone {
		// The others wait until the first one is in: a coordinator that turned its statement away would be none.
		defer x.mu.Unlock()
	} else {
		x.mu.Unlock()
	}
	rep, err := set.onPrimary(ctx, cmd, false)
	if !alone {
		x.mu.Lock()
		defer x.mu.Unlock()
	}
	if err != nil {
		return reply{}, err
	}
	x.note(p, joins, rep.doc)
	return rep, nil
}

// note takes what an answer says of the participant. The caller holds mu.
func (x *transaction) note(p *participant, joined bool, answer bsoncore.Document) {
	switch code := codeOf(answer); {
	case joined && (isStale(code) || isUnknownArgument(code)):
		x.drop(p) // nothing has begun there
	case isStale(code):
		x.state = txnAborted
	}
	if codeOf(answer) != 0 {
		return
	}
	if p.readOnly = truth(field(answer, "readOnly")); !p.readOnly && x.recovery == "" {
		x.recovery = p.shard
	}
}

func (x *transaction) drop(p *participant) {
	x.participants = slices.DeleteFunc(slices.Clone(x.participants), func(q *participant) bool { return q == p })
	if len(x.participants) == 0 {
		x.atClusterTime = 0
	}
}

// lost tells that a shard has turned away a statement of the open transaction, whereby it is gone: the client has to begin anew.
func (x *transaction) lost() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state == txnAborted
}

// over is the error for whoever goes on with a transaction that is not open any more.
func (x *transaction) over() error {
	switch x.state {
	case txnAborted:
		return refuse(codeNoSuchTransaction, "Transaction with { txnNumber: %d } has been aborted.", x.number)
	case txnCommitting:
		return refuse(codeTransactionCommitted, "Transaction with { txnNumber: %d } has been committed.", x.number)
	}
	return nil
}

// has tells that the shard has a part of the transaction.
func (x *transaction) has(shard topology.ShardID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.participant(shard) != nil
}

func (x *transaction) participant(shard topology.ShardID) *participant {
	for _, p := range x.participants {
		if p.shard == shard {
			return p
		}
	}
	return nil
}

// chooseTime fixes the time of a snapshot transaction when its first participant joins: left to themselves, each shard would choose
// one of its own. The caller holds mu.
func (x *transaction) chooseTime() {
	if wantsSnapshot(x.concern) && x.atClusterTime == 0 {
		given, after := timeOf(field(x.concern, "atClusterTime")), timeOf(field(x.concern, "afterClusterTime"))
		x.atClusterTime = cmp.Or(given, max(x.catalog.clock.now(), after))
	}
}

// dress makes the member's form of a statement. The caller holds mu.
func (x *transaction) dress(body bsoncore.Document, joins, coordinates bool) bsoncore.Document {
	said := x.identity()
	if joins {
		concern := x.concern
		if x.atClusterTime != 0 {
			concern = snapshotConcern(x.atClusterTime)
		}
		said = fields(said, "startTransaction", true, when(coordinates, "coordinator", true), when(len(concern) > 0, "readConcern", concern))
	}
	return edit(make([]byte, 0, len(body)+256), body, statementFields, func(dst []byte) []byte { return appendFields(dst, said) })
}

// identity is how a command says whose part it is.
func (x *transaction) identity() bson.D {
	return fields("lsid", x.lsid, "txnNumber", x.number, "autocommit", false)
}

// admit refuses a route on which the shards' parts at the transaction's time cannot be found: a chunk that moved since then had
// another owner. A transaction that has not begun anywhere simply reads at a later time.
func (x *transaction) admit(rt *route) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.atClusterTime == 0 || !rt.movedSince(x.atClusterTime) {
		return nil
	}
	return refuse(codeStaleChunkHistory, "a chunk of %s has moved since the time of the transaction's snapshot", rt.ns)
}
