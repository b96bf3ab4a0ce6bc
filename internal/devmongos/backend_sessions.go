package devmongos

import (
	"sync"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// coreSessions lends a session of the router's own to each read through the core. There is no command that closes a cursor of the
// core; killing the session on the shards does, but only a session that nobody else uses may be killed, and a client's is used for
// other things. Outside transactions a read does not depend on the session that it runs in.
type coreSessions struct {
	mu   sync.Mutex // guards following
	free []bsoncore.Document
}

// take returns an lsid that nobody else uses until it is given back.
func (s *coreSessions) take() bsoncore.Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		lsid := s.free[n-1]
		s.free = s.free[:n-1]
		return lsid
	}
	return newSessionID()
}

// newSessionID makes an lsid of a random UUID.
func newSessionID() bsoncore.Document {
	id := uuid.New()
	return document("id", bson.Binary{Subtype: bson.TypeBinaryUUID, Data: id[:]})
}

// give takes back an lsid in which no cursor is open any more.
func (s *coreSessions) give(lsid bsoncore.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, lsid)
}
