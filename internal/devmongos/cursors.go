package devmongos

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A remoteCursor is an open cursor on a server. Servers choose ids on their own, so two of them may choose the same: clients get
// ids of the router's making.
type remoteCursor struct {
	id int64
	// host has the cursor; nil means the core.
	host *host
	// lsid is the router's session in which the core has the cursor.
	lsid bsoncore.Document
	// owner is the client's session in which it was opened; "" outside of sessions.
	owner sessionID
	ns    string
	used  time.Time
	// txn is the transaction in which it was opened; nil outside of transactions. merged is the cursor itself if it is the router's
	// own, over several shards: then id, host and lsid mean nothing.
	txn    *transaction
	merged *mergedCursor
}

const (
	// cursorTimeout is after how long an idle cursor is closed: the servers' own cursorTimeoutMillis, which the core does not keep.
	cursorTimeout = 10 * time.Minute
	reapInterval  = time.Minute
)

// cursors are those that clients have open, and how to go on with them.
type cursors struct {
	catalog *catalogue

	mu   sync.Mutex // guards following
	open map[int64]remoteCursor
}

func newCursors(c *catalogue) *cursors { return &cursors{catalog: c, open: map[int64]remoteCursor{}} }

// add returns the id under which the client will ask for the cursor.
func (t *cursors) add(c remoteCursor) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.used = time.Now()
	for {
		id := rand.Int64()
		if _, taken := t.open[id]; !taken && id != 0 {
			t.open[id] = c
			return id
		}
	}
}

// get marks the cursor as used.
func (t *cursors) get(id int64) (remoteCursor, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.open[id]
	if ok {
		c.used = time.Now()
		t.open[id] = c
	}
	return c, ok
}

// takeIdle removes and returns the cursors of the core that were last used before then, and forgets those of members, which close
// them by themselves.
func (t *cursors) takeIdle(then time.Time) []remoteCursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	var idle []remoteCursor
	for id, c := range t.open {
		if c.used.Before(then) {
			delete(t.open, id)
			if c.host == nil && c.merged == nil {
				idle = append(idle, c)
			}
		}
	}
	return idle
}

func (t *cursors) remove(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// adopt takes over the cursor that an answer has left open, and puts an id of the router's in the place of the server's. It tells whether there is one.
func (t *cursors) adopt(answer bsoncore.Document, c remoteCursor) bool {
	id, place := cursorID(answer)
	if id != 0 {
		c.id, c.ns = id, stringField(documentField(answer, "cursor"), "ns")
		binary.LittleEndian.PutUint64(place, uint64(t.add(c)))
	}
	return id != 0
}

// opened is the answer of a member, which may have left a cursor open there.
func (t *cursors) opened(rep reply, err error) (bsoncore.Document, error) {
	if err == nil {
		t.adopt(rep.doc, remoteCursor{host: rep.host})
	}
	return rep.doc, err
}

// coreGetMore makes the core's form of a getMore; without one of a client's it asks for the next batch as it comes.
func coreGetMore(cursor remoteCursor, body bsoncore.Document) bsoncore.Document {
	if body == nil {
		db, collection, _ := strings.Cut(cursor.ns, ".")
		body = document("getMore", 0, "collection", collection, "$db", db)
	}
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendInt64Element(dst, "clusterGetMore", cursor.id)
		dst = bsoncore.AppendDocumentElement(dst, "lsid", cursor.lsid)
		return appendWithout(dst, body, forRouter, "getMore", "lsid")
	})
}

func cursorAnswer(id int64, ns, batch string, docs []bsoncore.Value) bsoncore.Document {
	return document("cursor", fields(batch, docs, "id", id, "ns", ns), "ok", 1.0)
}

func emptyCursor(ns string) bsoncore.Document { return cursorAnswer(0, ns, "firstBatch", nil) }
