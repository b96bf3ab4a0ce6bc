package devmongos

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
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

type cursorTable struct {
	mu   sync.Mutex // guards following
	open map[int64]remoteCursor
}

func newCursorTable() *cursorTable { return &cursorTable{open: map[int64]remoteCursor{}} }

// add returns the id under which the client will ask for the cursor; 0 for a cursor that is exhausted already.
func (t *cursorTable) add(c remoteCursor) int64 {
	if c.id == 0 {
		return 0
	}
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
func (t *cursorTable) get(id int64) (remoteCursor, bool) {
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
func (t *cursorTable) takeIdle(then time.Time) []remoteCursor {
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

// reapCursors closes cursors whose clients have left without a word, until ctx ends.
func (r *router) reapCursors(ctx context.Context) {
	tick := time.NewTicker(reapInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, c := range r.cursors.takeIdle(now.Add(-cursorTimeout)) {
				r.killCore(ctx, c)
			}
		}
	}
}

func (t *cursorTable) remove(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
}

// cursorID is the id in an answer {cursor: {id: …}}, and the eight bytes that hold it; nil if there is none.
func cursorID(answer bsoncore.Document) (id int64, place []byte) {
	v := field(documentField(answer, "cursor"), "id")
	if v.Type != bsoncore.TypeInt64 || len(v.Data) < 8 {
		return 0, nil
	}
	return int64(binary.LittleEndian.Uint64(v.Data)), v.Data[:8]
}

// adopt replaces the server's cursor id in an answer by one of the router's, in place.
func (t *cursorTable) adopt(answer bsoncore.Document, h *host, ns string) {
	if id, place := cursorID(answer); id != 0 {
		binary.LittleEndian.PutUint64(place, uint64(t.add(remoteCursor{id: id, host: h, ns: ns})))
	}
}
