package consistency

import (
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// The reasons for refusing a token. None of them reaches a server.
var (
	// ErrTokenMalformed means that a text is no token, or that a token cannot be sealed.
	ErrTokenMalformed = errors.New("malformed token")
	// ErrTokenForged means that a token was not sealed with the key that it names.
	ErrTokenForged = errors.New("forged token")
	// ErrUnknownKey means that the keyring lacks the key that a token names.
	ErrUnknownKey = errors.New("unknown key")
	// ErrTokenExpired means that a token is older than allowed.
	ErrTokenExpired = errors.New("expired token")
	// ErrTokenFuture means that a token, or a time in it, is ahead of the clock by more than allowed. A server would make each read wait for that time.
	ErrTokenFuture = errors.New("token of the future")
)

// MaxTokenSize is the most characters that a sealed token has.
const MaxTokenSize = 150

const (
	// DefaultMaxAge is far beyond any healthy lag; a token protects nothing that every member has long copied.
	DefaultMaxAge = time.Hour
	// DefaultMaxSkew is what clocks kept by NTP never reach, and as long as a read could be stalled at worst.
	DefaultMaxSkew = 30 * time.Second
)

// A Token is what a causal session knows of the database: handed to another session, that one reads nothing older.
type Token struct {
	// Home is the datacenter where the token was made.
	Home topology.DatacenterID
	// OperationTime is the time of the session's latest operation. Reads wait for it.
	OperationTime bson.Timestamp
	// ClusterTime is the newest time that the session has heard of; servers advance their own by it. It is never before OperationTime.
	ClusterTime bson.Timestamp
	// Signature is the servers' own over ClusterTime; the zero value where they do not sign, because nobody has to log in.
	Signature Signature
	// Issued is when the token was made, cut to milliseconds.
	Issued time.Time
}

// A Signature is what a cluster with authentication adds to its cluster time.
type Signature struct {
	Hash  [20]byte
	KeyID int64
}

// Limits say which tokens are taken.
type Limits struct {
	// MaxAge is how old a token may be. 0 = DefaultMaxAge.
	MaxAge time.Duration
	// MaxSkew is how far ahead of the clock a token and the times in it may be. 0 = DefaultMaxSkew.
	MaxSkew time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.MaxAge <= 0 {
		l.MaxAge = DefaultMaxAge
	}
	if l.MaxSkew <= 0 {
		l.MaxSkew = DefaultMaxSkew
	}
	return l
}

// Seal writes the token as text of at most MaxTokenSize characters that are fit for a cookie, a header or a URL.
// It returns ErrTokenMalformed for a token that OpenToken would not take.
func (t Token) Seal(keys *signing.Keyring) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	key := keys.Signing()
	payload := t.encode(key.ID())
	sum := key.Sum(tokenPurpose, string(payload))
	return tokenText.EncodeToString(append(payload, sum[:]...)), nil
}

// OpenToken reads what Seal wrote, and refuses everything else: ErrTokenMalformed, ErrUnknownKey, ErrTokenForged, ErrTokenExpired, ErrTokenFuture.
// Nothing of a token is looked at before its signature has been checked, but the name of the key.
func OpenToken(keys *signing.Keyring, text string, now time.Time, l Limits) (Token, error) {
	id, payload, sum, err := unpack(text)
	if err != nil {
		return Token{}, refuse(err)
	}
	key, known := keys.Key(id)
	if !known {
		return Token{}, refuse(fmt.Errorf("%w %q", ErrUnknownKey, id))
	}
	if !key.Signed(tokenPurpose, string(payload), sum) {
		return Token{}, refuse(ErrTokenForged)
	}
	t, err := decode(payload)
	if err == nil {
		err = t.check()
	}
	if err == nil {
		err = t.timely(now, l.withDefaults())
	}
	if err != nil {
		return Token{}, refuse(err)
	}
	return t, nil
}

// refuse adds what to do about a refused token.
func refuse(err error) error {
	help := "start without a token: the next write gives a new one"
	if errors.Is(err, ErrUnknownKey) {
		help = "give every process all the keys whose tokens have not expired; " + help
	}
	if errors.Is(err, ErrTokenFuture) {
		help = "compare the clocks of this machine and of the database's; " + help
	}
	return hint.New(err, help)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTokenMalformed, fmt.Sprintf(format, args...))
}

// check keeps the invariants of a token's fields.
func (t Token) check() error {
	const help = "make tokens with TokenOf, after an operation of the session"
	switch {
	case t.OperationTime.IsZero():
		return hint.New(malformed("it has no operation time"), help)
	case t.OperationTime.After(t.ClusterTime):
		return hint.New(malformed("its operation time %d.%d is after its cluster time %d.%d", t.OperationTime.T, t.OperationTime.I, t.ClusterTime.T, t.ClusterTime.I), help)
	case len(t.Home) > maxHome:
		return hint.New(malformed("the datacenter's name %q has more than %d bytes", t.Home, maxHome), "give datacenters shorter names")
	case t.Issued.UnixMilli() < 0 || t.Issued.UnixMilli() > maxIssued:
		return hint.New(malformed("it was issued at %s", t.Issued), help)
	}
	return nil
}

// timely checks the token's times against the clock.
func (t Token) timely(now time.Time, l Limits) error {
	age := now.Sub(t.Issued)
	switch latest := now.Add(l.MaxSkew); {
	case age > l.MaxAge:
		return fmt.Errorf("%w: it is %s old, more than %s", ErrTokenExpired, age.Round(time.Second), l.MaxAge)
	case t.Issued.After(latest):
		return fmt.Errorf("%w: it was issued %s from now, more than %s", ErrTokenFuture, -age, l.MaxSkew)
	case int64(t.ClusterTime.T) > latest.Unix(): // never before OperationTime
		return fmt.Errorf("%w: its cluster time is %s from now, more than %s", ErrTokenFuture, time.Unix(int64(t.ClusterTime.T), 0).Sub(now).Round(time.Second), l.MaxSkew)
	}
	return nil
}
