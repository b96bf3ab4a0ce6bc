package cart

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Request is one change that a client wants done once.
type Request struct {
	Key string
	// At is when the server got the request.
	At time.Time
	// IfVersion is the version that the client has decided by; 0 = whatever it is.
	IfVersion int64
	Change    Change
}

// Check refuses what is wrong for every cart, before a database is asked.
func (r Request) Check() error { return cmp.Or(CheckKey(r.Key, r.At), r.Change.Check()) }

// Record is the entry by which the request is known again.
func (r Request) Record() Done {
	return Done{Key: r.Key, Request: Fingerprint(r.Change, r.IfVersion), Expires: expiry(r.Key)}
}

// Fingerprint tells requests apart that have the same key by mistake. Prices are not looked at: between a request and the same one sent again
// they may have changed.
func Fingerprint(change any, version int64) string {
	if add, ok := change.(AddItem); ok {
		add.Price, add.Currency = 0, ""
		change = add
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %+v %d", change, change, version))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// An Outcome says what became of a request that was not refused.
type Outcome int

// The outcomes. Both are answered in the same way.
const (
	OutcomeUnknown Outcome = iota
	// Applied is a request that was done now.
	Applied
	// Replayed is one that had been done before.
	Replayed
)

// With is the cart after the request, or the reason for refusing it. The cart itself stays as it is.
func (c Cart) With(r Request) (Cart, Outcome, error) {
	record := r.Record()
	if done, err := c.Knows(record); done || err != nil {
		return c, Replayed, err
	}
	if err := c.takes(r.At, r.IfVersion); err != nil {
		return c, OutcomeUnknown, err
	}
	next := c
	next.Items = slices.Clone(c.Items)
	if err := r.Change.to(&next); err != nil {
		return c, OutcomeUnknown, err
	}
	next.Version++
	next.Updated = r.At
	next.Done = append(c.remembered(r.At), record)
	return next, Applied, nil
}

// Knows reports whether a request was done before; ErrKeyReused if it was another one with the same key.
func (c Cart) Knows(record Done) (bool, error) {
	i := slices.IndexFunc(c.Done, func(d Done) bool { return d.Key == record.Key })
	if i < 0 {
		return false, nil
	}
	if c.Done[i].Request != record.Request {
		return false, hint.New(ErrKeyReused, "make a new key for each request")
	}
	return true, nil
}

// takes refuses a request that comes at the wrong time, or is about another version; 0 = any.
func (c Cart) takes(at time.Time, version int64) error {
	switch {
	case c.Status != Open:
		return hint.New(fmt.Errorf("%w: %s", ErrClosed, c.Status), "make a new cart")
	case version != 0 && version != c.Version:
		return hint.New(fmt.Errorf("%w: it is at version %d, not %d", ErrVersion, c.Version, version), "read the cart and decide again")
	case len(c.remembered(at)) >= MaxKeys:
		return hint.New(fmt.Errorf("%w: %d within %s", ErrTooBusy, MaxKeys, KeyLife), "wait some minutes")
	}
	return nil
}

// remembered are the records that can still be of use.
func (c Cart) remembered(now time.Time) []Done {
	return slices.DeleteFunc(slices.Clone(c.Done), func(d Done) bool { return !d.Expires.After(now) })
}

const (
	// KeyLife is how long a request can be sent again. Each cart remembers the keys of so long.
	KeyLife = 30 * time.Minute
	// KeySkew is how far clocks of clients and servers may differ.
	KeySkew = time.Minute
	// MaxKeys bounds the list of keys in a cart: a cart that has had so many writes within KeyLife is no customer's.
	MaxKeys = 256
)

// A Done is a request that was done.
type Done struct {
	Key string `bson:"key"`
	// Request is the request's fingerprint.
	Request string `bson:"request"`
	// Expires is when a request with the key is refused for its age, on whatever server; then the entry has no more use.
	Expires time.Time `bson:"expires"`
}

// CheckKey checks a request's key: an ULID or a UUID of version 7, made by the client when it made the request. Their first bits are that time, so that
// a request too old to be remembered is refused rather than done again.
func CheckKey(key string, now time.Time) error {
	made, err := keyTime(key)
	switch {
	case err != nil:
		return err
	case now.Sub(made) > KeyLife:
		return hint.New(fmt.Errorf("%w: it was made at %s, %s ago", ErrKeyExpired, made.UTC().Format(time.RFC3339), now.Sub(made).Round(time.Second)),
			"read the cart to see whether the request was done; make a new key for a new request, and look at the client's clock")
	case made.Sub(now) > KeySkew:
		return hint.New(fmt.Errorf("%w: it is of the future, %s", ErrBadKey, made.UTC().Format(time.RFC3339)), "set the client's clock")
	}
	return nil
}

func keyTime(key string) (time.Time, error) {
	if id, err := ulid.ParseStrict(key); err == nil && id.String() == key {
		return id.Timestamp(), nil
	}
	if id, err := uuid.Parse(key); err == nil && id.Version() == 7 && id.String() == key {
		return ulid.Time(ulid.ULID(id).Time()), nil // the same 48 bits
	}
	return time.Time{}, hint.New(fmt.Errorf("%w %.100q", ErrBadKey, key),
		"make an ULID (capitals) or a UUID of version 7 (lower case) for each request, and send the same one again when the answer is lost")
}

// expiry is when the entry of a key has no more use.
func expiry(key string) time.Time {
	made, err := keyTime(key)
	if err != nil {
		return time.Time{}
	}
	return made.Add(KeyLife + 2*KeySkew).UTC()
}

// HandleFor is the handle of the cart that a request for a new one makes: the same for the same key, so that a request that is sent again finds
// the cart of the first.
func HandleFor(dc topology.DatacenterID, key string) (Handle, error) {
	made, err := keyTime(key)
	if err != nil {
		return Handle{}, err
	}
	h := Handle{DataCenter: dc}
	if err := h.ID.SetTime(ulid.Timestamp(made)); err != nil {
		return Handle{}, err
	}
	sum := sha256.Sum256([]byte(string(dc) + "." + key))
	return h, h.ID.SetEntropy(sum[:10])
}
