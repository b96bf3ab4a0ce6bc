package consistency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	driver "go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// ErrNoOperation means that a session has no token to give: it has done nothing yet.
var ErrNoOperation = errors.New("the session has done nothing yet")

// ErrNotCaughtUp means that no member answered a read as new as the session asked for within the bound.
var ErrNotCaughtUp = errors.New("not caught up in time")

// TokenOf takes the token of a session, after a write (to read it elsewhere) or a read (to read nothing older elsewhere). It returns
// ErrNoOperation before the session's first operation.
func TokenOf(s *mongo.Session, home topology.DatacenterID, now time.Time) (Token, error) {
	operation := s.OperationTime()
	if operation == nil || s.ClusterTime() == nil {
		return Token{}, hint.New(ErrNoOperation, "take the token after the session's write")
	}
	t := Token{Home: home, OperationTime: *operation, Issued: time.UnixMilli(now.UnixMilli())}
	if err := t.readClusterTime(s.ClusterTime()); err != nil {
		return Token{}, err
	}
	return t, nil
}

// readClusterTime reads {$clusterTime: {clusterTime, signature: {hash, keyId}}}, with or without the outer document.
func (t *Token) readClusterTime(raw bson.Raw) error {
	if inner, ok := raw.Lookup("$clusterTime").DocumentOK(); ok {
		raw = inner
	}
	newest, ok := timestamp(raw, "clusterTime")
	if !ok {
		return hint.New(malformed("the session's cluster time %s is of an unknown form", raw), "is the server MongoDB 3.6 or later?")
	}
	t.ClusterTime = newest
	_, hash, ok := raw.Lookup("signature", "hash").BinaryOK()
	if !ok {
		return nil // not signed
	}
	if len(hash) != len(t.Signature.Hash) {
		return hint.New(malformed("the server's signature has %d bytes", len(hash)), "a newer server may sign in another way: report it")
	}
	copy(t.Signature.Hash[:], hash)
	t.Signature.KeyID, _ = raw.Lookup("signature", "keyId").AsInt64OK()
	return nil
}

// Advance puts the token into a causal session: from now on the session reads nothing older, on whatever member. A session that is ahead of
// the token already stays where it is. Open the token first: Advance trusts it.
func (t Token) Advance(s *mongo.Session) error {
	if err := advance(s, t.clusterTime(), t.OperationTime); err != nil {
		return fmt.Errorf("advance the session's cluster time: %w", err)
	}
	return nil
}

// clusterTime is the cluster time as drivers and servers hand it on. Servers that do not sign send a signature of zeroes, and take one.
func (t Token) clusterTime() bson.D {
	signature := bson.D{{Key: "hash", Value: bson.Binary{Data: t.Signature.Hash[:]}}, {Key: "keyId", Value: t.Signature.KeyID}}
	return bson.D{{Key: "clusterTime", Value: t.ClusterTime}, {Key: "signature", Value: signature}}
}

// advance lets the session read nothing older than an operation. It fails for a session that has ended.
func advance(s *mongo.Session, clusterTime any, operation bson.Timestamp) error {
	gossip, err := bson.Marshal(bson.D{{Key: "$clusterTime", Value: clusterTime}})
	if err != nil {
		return err
	}
	return cmp.Or(s.AdvanceClusterTime(gossip), s.AdvanceOperationTime(&operation))
}

// timestamp is a time in a document.
func timestamp(doc bson.Raw, path ...string) (t bson.Timestamp, ok bool) {
	t.T, t.I, ok = doc.Lookup(path...).TimestampOK()
	return t, ok
}

// Within runs a read in the context's session for at most the bound. Where time runs out because no member with the session's times has
// answered, the error is ErrNotCaughtUp: the member that was asked is behind, paused or cut off, which a client cannot tell apart. The read has
// to use the context that it is given. When the caller's own context ends first, the error is that one's.
func Within(ctx context.Context, bound time.Duration, read func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	err := read(limited)
	if err == nil || ctx.Err() != nil || !outOfTime(err) {
		return err
	}
	wanted := ""
	if s := mongo.SessionFromContext(ctx); s != nil && s.OperationTime() != nil {
		wanted = fmt.Sprintf(": no answer as new as %d.%d", s.OperationTime().T, s.OperationTime().I)
	}
	return hint.New(fmt.Errorf("%w%s within %s: %w", ErrNotCaughtUp, wanted, bound, err),
		"wait longer, read from the primary, or accept an older state by reading without the token")
}

// outOfTime tells a read that waited from one that found no server at all.
func outOfTime(err error) bool {
	if errors.As(err, &driver.ServerSelectionError{}) {
		return false // nobody was asked
	}
	return mongo.IsTimeout(err) // the client's clock, or a server's own word that maxTimeMS is over
}
