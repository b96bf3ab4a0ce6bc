package wan

import "bytes"

// What the oplog fetcher of a mongod sends, as BSON elements: a find on the collection oplog.rs with a tailable cursor. Other finds on it
// (the search for a sync source, rollback) are not tailable, and their pooled connections carry heartbeats at other times.
var (
	findOplog = []byte("\x02find\x00\x09\x00\x00\x00oplog.rs\x00")
	tailable  = []byte("\x08tailable\x00\x01")
)

// sniffWindow is how far apart the two may be: the whole command is some 300 bytes.
const sniffWindow = 4 << 10

// An oplogSniffer recognises an oplog fetch in the bytes that a member sends. It reads uncompressed messages only.
type oplogSniffer struct{ window []byte }

func (s *oplogSniffer) sees(chunk []byte) bool {
	s.window = append(s.window, chunk...)
	i := bytes.Index(s.window, findOplog)
	if i >= 0 && bytes.Contains(s.window[i:], tailable) {
		s.window = nil
		return true
	}
	if over := len(s.window) - sniffWindow; over > 0 {
		s.window = bytes.Clone(s.window[over:]) // a clone lets go of a large chunk
	}
	return false
}
