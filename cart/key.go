package cart

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

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
