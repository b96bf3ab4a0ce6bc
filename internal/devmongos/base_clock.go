package devmongos

import (
	"bytes"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A clusterTime is the highest logical time that somebody has told the router of. It goes along with every command, because a
// member refuses to wait for times that it has never heard of (code 72) instead of waiting.
type clusterTime struct {
	mu     sync.Mutex // held by writers
	latest atomic.Pointer[gossiped]
}

type gossiped struct {
	time uint64
	doc  bsoncore.Document // {clusterTime, signature} as it came
}

// observe takes the $clusterTime of a message, if it has one and that is newer.
func (c *clusterTime) observe(doc bsoncore.Document) {
	t := timeOf(field(doc, "clusterTime"))
	if have := c.latest.Load(); t == 0 || have != nil && have.time >= t {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.latest.Load(); have == nil || have.time < t {
		c.latest.Store(&gossiped{time: t, doc: bytes.Clone(doc)})
	}
}

// now is the highest time known; 0 if there is none yet.
func (c *clusterTime) now() uint64 {
	if g := c.latest.Load(); g != nil {
		return g.time
	}
	return 0
}

// appendTo appends the element $clusterTime, if a time is known.
func (c *clusterTime) appendTo(dst []byte) []byte {
	if g := c.latest.Load(); g != nil {
		dst = bsoncore.AppendDocumentElement(dst, "$clusterTime", g.doc)
	}
	return dst
}

// timestamp is the BSON timestamp of a number that timeOf made.
func timestamp(at uint64) bson.Timestamp { return bson.Timestamp{T: uint32(at >> 32), I: uint32(at)} }

// timeOf is a BSON timestamp as one number that orders like it; 0 for anything else.
func timeOf(v bsoncore.Value) uint64 {
	t, i, ok := v.TimestampOK()
	if !ok {
		return 0
	}
	return uint64(t)<<32 | uint64(i)
}
