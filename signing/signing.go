package signing

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"log/slog"
	"regexp"
	"sync"

	"github.com/geoshard/geoshard/hint"
)

const (
	// Size is the bytes of a signature, half of SHA-256's output, which RFC 2104 allows: nobody guesses 128 bits, each request carries them, and the 16
	// bytes saved leave room for the names of datacenters.
	Size = 16
	// MaxID is the most characters of a key's identifier; it keeps what is signed small.
	MaxID = 8
	// leastSecret is the size of SHA-256's output: a shorter key would be the weakest part.
	leastSecret = sha256.Size
)

var idShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,8}$`)

// A Key signs. It prints as its identifier in every form; the secret is inside a function, where neither fmt nor an encoder looks.
type Key struct {
	id  string
	sum func(purpose, text string) [Size]byte
}

// A signer is a state of HMAC that is used again and again, so that signing allocates nothing.
type signer struct {
	hash  hash.Hash
	input []byte
	sum   [sha256.Size]byte
}

// NewKey makes a key. The identifier, 1 to 8 letters, digits, and . _ -, is in every token and cookie for everybody to read. The secret has at least 32
// random bytes; it is copied.
func NewKey(id string, secret []byte) (Key, error) {
	if !idShape.MatchString(id) {
		return Key{}, hint.New(fmt.Errorf("%w: identifier %.20q", ErrBadKey, id), fmt.Sprintf("use 1 to %d letters, digits, and . _ -, for example the month: 2026-11", MaxID))
	}
	if len(secret) < leastSecret {
		return Key{}, hint.New(fmt.Errorf("%w: key %s has a secret of %d bytes", ErrBadKey, id, len(secret)), fmt.Sprintf("use at least %d random bytes", leastSecret))
	}
	own := bytes.Clone(secret)
	pool := sync.Pool{New: func() any { return &signer{hash: hmac.New(sha256.New, own)} }}
	return Key{id: id, sum: func(purpose, text string) (sum [Size]byte) {
		s := pool.Get().(*signer)
		s.input = append(append(append(s.input[:0], purpose...), 0), text...)
		s.hash.Reset()
		s.hash.Write(s.input)
		copy(sum[:], s.hash.Sum(s.sum[:0]))
		pool.Put(s)
		return sum
	}}, nil
}

// Sum signs a text: HMAC-SHA256 over the purpose, a zero byte and the text, cut to Size bytes. What is signed for one purpose is not signed for another.
func (k Key) Sum(purpose, text string) [Size]byte { return k.sum(purpose, text) }

// Signed reports whether a sum is the key's for a text. It compares in constant time.
func (k Key) Signed(purpose, text string, sum []byte) bool {
	want := k.sum(purpose, text)
	return hmac.Equal(sum, want[:])
}

// ID is the key's identifier.
func (k Key) ID() string { return k.id }

// String is the identifier without the secret.
func (k Key) String() string { return "key " + k.id }

// Format prints String, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// MarshalText writes String, so that a key in a printed structure shows nothing.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue logs String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// A Keyring signs with one key and verifies with any of its keys. It does not change and is safe for concurrent use.
//
// To rotate: give every process the new key as a verifying one; when all have it, let it sign and keep the old one for verifying; when the
// tokens and cookies of the old one have expired, drop it.
type Keyring struct{ keys []Key } // the first signs

// NewKeyring makes a keyring that signs with the first key and verifies with all.
func NewKeyring(signing Key, verifying ...Key) (*Keyring, error) {
	r := &Keyring{keys: append([]Key{signing}, verifying...)}
	seen := map[string]bool{}
	for _, k := range r.keys {
		if k.sum == nil {
			return nil, hint.New(fmt.Errorf("%w: the zero key", ErrBadKey), "make keys with NewKey")
		}
		if seen[k.id] {
			return nil, hint.New(fmt.Errorf("%w: two keys have the identifier %s", ErrBadKey, k.id), "give each key an identifier of its own, also over time")
		}
		seen[k.id] = true
	}
	return r, nil
}

// Signing is the key that signs.
func (r *Keyring) Signing() Key { return r.keys[0] }

// Key is the key with an identifier, if the ring has it.
func (r *Keyring) Key(id string) (Key, bool) {
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return Key{}, false
}

// String names the signing key and counts the others.
func (r *Keyring) String() string {
	if r == nil || len(r.keys) == 0 {
		return "no keyring"
	}
	return fmt.Sprintf("keyring (signs with %s, verifies with %d)", r.keys[0].id, len(r.keys))
}

// Format prints String, whatever the verb.
func (r *Keyring) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// MarshalText writes String.
func (r *Keyring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue logs String.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }
