package consistency

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/geoshard/geoshard/hint"
)

const (
	// leastSecret is the size of SHA-256's output: a shorter key would be the weakest part.
	leastSecret = sha256.Size
	// maxKeyID keeps tokens within their size.
	maxKeyID = 8
	// macSize is half of SHA-256's output, which RFC 2104 allows: nobody guesses 128 bits, and the 16 bytes saved leave room for the names of
	// datacenters within 150 characters.
	macSize = 16
	// macContext keeps a key that is used elsewhere as well, which it should not, from signing tokens by accident.
	macContext = "geoshard causal token\x00"
)

var keyIDShape = regexp.MustCompile(`^[A-Za-z0-9._-]{1,8}$`)

// ErrBadKey means that a key cannot be used.
var ErrBadKey = errors.New("bad key")

// A Key signs tokens. It prints as its identifier in every form; the secret is inside a function, where neither fmt nor an encoder looks.
type Key struct {
	id  string
	mac func(data []byte) [macSize]byte
}

// NewKey makes a key. The identifier, 1 to 8 letters, digits, and . _ -, is in every token for everybody to read. The secret has at least 32
// random bytes; it is copied.
func NewKey(id string, secret []byte) (Key, error) {
	if !keyIDShape.MatchString(id) {
		return Key{}, hint.New(fmt.Errorf("%w: identifier %q", ErrBadKey, id), fmt.Sprintf("use 1 to %d letters, digits, and . _ -, for example the month: 2026-11", maxKeyID))
	}
	if len(secret) < leastSecret {
		return Key{}, hint.New(fmt.Errorf("%w: key %s has a secret of %d bytes", ErrBadKey, id, len(secret)), fmt.Sprintf("use at least %d random bytes", leastSecret))
	}
	own := append([]byte(nil), secret...)
	return Key{id: id, mac: func(data []byte) (sum [macSize]byte) {
		h := hmac.New(sha256.New, own)
		h.Write([]byte(macContext))
		h.Write(data)
		copy(sum[:], h.Sum(nil))
		return sum
	}}, nil
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

// A Keyring seals tokens with one key and opens them with any of its keys. It is immutable and safe for concurrent use.
//
// To rotate: give every process the new key as a verifying one; when all have it, let it sign and keep the old one for verifying; when the
// tokens of the old one have expired, drop it.
type Keyring struct {
	signing Key
	keys    map[string]Key
}

// NewKeyring makes a keyring that signs with the first key and verifies with all.
func NewKeyring(signing Key, verifying ...Key) (*Keyring, error) {
	r := &Keyring{signing: signing, keys: map[string]Key{}}
	for _, k := range append([]Key{signing}, verifying...) {
		if k.mac == nil {
			return nil, hint.New(fmt.Errorf("%w: the zero key", ErrBadKey), "make keys with NewKey")
		}
		if _, twice := r.keys[k.id]; twice {
			return nil, hint.New(fmt.Errorf("%w: two keys have the identifier %s", ErrBadKey, k.id), "give each key an identifier of its own, also over time")
		}
		r.keys[k.id] = k
	}
	return r, nil
}

// String names the signing key and counts the others.
func (r *Keyring) String() string {
	if r == nil {
		return "no keyring"
	}
	return fmt.Sprintf("keyring (signs with %s, verifies with %d)", r.signing.id, len(r.keys))
}

// Format prints String, whatever the verb.
func (r *Keyring) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// MarshalText writes String.
func (r *Keyring) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue logs String.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(r.String()) }
