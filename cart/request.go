package cart

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/hint"
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
func (r Request) Check() error {
	if err := CheckKey(r.Key, r.At); err != nil {
		return err
	}
	return r.Change.Check()
}

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
	if err := c.takes(r); err != nil {
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

// takes refuses a request that comes at the wrong time.
func (c Cart) takes(r Request) error {
	switch {
	case c.Status != Open:
		return hint.New(fmt.Errorf("%w: %s", ErrClosed, c.Status), "make a new cart")
	case r.IfVersion != 0 && r.IfVersion != c.Version:
		return hint.New(fmt.Errorf("%w: it is at version %d, not %d", ErrVersion, c.Version, r.IfVersion), "read the cart and decide again")
	case len(c.remembered(r.At)) >= MaxKeys:
		return hint.New(fmt.Errorf("%w: %d within %s", ErrTooBusy, MaxKeys, KeyLife), "wait some minutes")
	}
	return nil
}

// remembered are the records that can still be of use.
func (c Cart) remembered(now time.Time) []Done {
	return slices.DeleteFunc(slices.Clone(c.Done), func(d Done) bool { return !d.Expires.After(now) })
}
