package router

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/geoshard/geoshard/hint"
)

const (
	// leastSecret is the size of SHA-256's output: a shorter key would be the weakest part.
	leastSecret = sha256.Size
	// macSize is half of SHA-256's output, which RFC 2104 allows: nobody guesses 128 bits, and each request carries them.
	macSize = 16
	// maxCookie is far above what a home of any sense makes; what is longer is not looked at.
	maxCookie = 512
	// cookieContext keeps a key that is used elsewhere as well, which it should not, from signing cookies by accident. Its version changes with the layout.
	cookieContext = "geoshard home cookie 1\x00"
)

var (
	keyIDShape = regexp.MustCompile(`^[A-Za-z0-9-]{1,8}$`)
	macText    = base64.RawURLEncoding.Strict()
	macLength  = macText.EncodedLen(macSize)
)

// ErrBadKey means that a key cannot be used.
var ErrBadKey = errors.New("bad key")

// A Key signs affinity cookies. It prints as its identifier in every form; the secret is inside a function, where neither fmt nor an encoder looks.
type Key struct {
	id  string
	sum func(text string) [macSize]byte
}

// A signer is a state of HMAC that is used again and again, so that signing allocates nothing.
type signer struct {
	hash  hash.Hash
	input [len(cookieContext) + maxCookie]byte
	sum   [sha256.Size]byte
}

// NewKey makes a key. The identifier, 1 to 8 letters, digits, and -, is in every cookie for everybody to read. The secret has at least 32
// random bytes; it is copied.
func NewKey(id string, secret []byte) (Key, error) {
	if !keyIDShape.MatchString(id) {
		return Key{}, hint.New(fmt.Errorf("%w: identifier %.20q", ErrBadKey, id), "use 1 to 8 letters, digits, and -, for example the month: 2026-11")
	}
	if len(secret) < leastSecret {
		return Key{}, hint.New(fmt.Errorf("%w: key %s has a secret of %d bytes", ErrBadKey, id, len(secret)), fmt.Sprintf("use at least %d random bytes", leastSecret))
	}
	own := append([]byte(nil), secret...)
	pool := sync.Pool{New: func() any { return &signer{hash: hmac.New(sha256.New, own)} }}
	return Key{id: id, sum: func(text string) (sum [macSize]byte) {
		s := pool.Get().(*signer)
		s.hash.Reset()
		n := copy(s.input[:], cookieContext)
		n += copy(s.input[n:], text)
		s.hash.Write(s.input[:n])
		copy(sum[:], s.hash.Sum(s.sum[:0]))
		pool.Put(s)
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

// CookieKeys seal affinity cookies with one key and open them with any of theirs. They do not change and are safe for concurrent use.
//
// To rotate: give every gateway the new key as a verifying one; when all have it, let it sign and keep the old one for verifying; when the
// cookies of the old one have expired, drop it.
type CookieKeys struct{ keys []Key }

// NewCookieKeys makes keys of which the first signs and all verify.
func NewCookieKeys(signing Key, verifying ...Key) (*CookieKeys, error) {
	c := &CookieKeys{keys: append([]Key{signing}, verifying...)}
	seen := map[string]bool{}
	for _, k := range c.keys {
		if k.sum == nil {
			return nil, hint.New(fmt.Errorf("%w: the zero key", ErrBadKey), "make keys with NewKey")
		}
		if seen[k.id] {
			return nil, hint.New(fmt.Errorf("%w: two keys have the identifier %s", ErrBadKey, k.id), "give each key an identifier of its own, also over time")
		}
		seen[k.id] = true
	}
	return c, nil
}

// String names the signing key and counts the others.
func (c *CookieKeys) String() string {
	if c == nil || len(c.keys) == 0 {
		return "no keys"
	}
	return fmt.Sprintf("cookie keys (sign with %s, verify with %d)", c.keys[0].id, len(c.keys))
}

// Format prints String, whatever the verb.
func (c *CookieKeys) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// MarshalText writes String.
func (c *CookieKeys) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue logs String.
func (c *CookieKeys) LogValue() slog.Value { return slog.StringValue(c.String()) }

// A cookie's text is KEY.EXPIRY.HOME.MAC: the key's identifier, seconds since 1970 in base 36, the home with what a cookie cannot carry as %XX, and the
// signature of all that comes before its dot.

// Seal writes a home as a cookie's value. It is empty for a home that no cookie can carry, because it is empty, too long or has control characters.
func (c *CookieKeys) Seal(home string, expiry time.Time) string {
	if home == "" || !printable(home) {
		return ""
	}
	text := c.keys[0].id + "." + strconv.FormatInt(max(0, expiry.Unix()), 36) + "." + escapeHome(home)
	if len(text)+1+macLength > maxCookie {
		return ""
	}
	sum := c.keys[0].sum(text)
	return text + "." + macText.EncodeToString(sum[:])
}

// Open returns the home of a cookie's value. It is false for what Seal did not write with one of the keys, and for what has expired. It allocates
// nothing but for a home that a cookie carries as %XX.
func (c *CookieKeys) Open(text string, now time.Time) (home string, ok bool) {
	signed := len(text) - macLength - 1
	if c == nil || signed < 0 || len(text) > maxCookie || text[signed] != '.' {
		return "", false
	}
	id, rest, _ := strings.Cut(text[:signed], ".")
	expiry, home, whole := strings.Cut(rest, ".")
	key, known := c.key(id)
	if !whole || !known || !key.signed(text[:signed], text[signed+1:]) {
		return "", false
	}
	until, err := strconv.ParseInt(expiry, 36, 64)
	if err != nil || now.Unix() >= until {
		return "", false
	}
	if !strings.Contains(home, "%") {
		return home, true
	}
	home, err = url.PathUnescape(home)
	return home, err == nil
}

func (c *CookieKeys) key(id string) (Key, bool) {
	for _, k := range c.keys {
		if k.id == id {
			return k, true
		}
	}
	return Key{}, false
}

// signed compares in constant time.
func (k Key) signed(text, mac string) bool {
	var got [macSize]byte
	var encoded [24]byte
	if n := copy(encoded[:], mac); n != macLength {
		return false
	}
	if _, err := macText.Decode(got[:], encoded[:macLength]); err != nil {
		return false
	}
	want := k.sum(text)
	return hmac.Equal(got[:], want[:])
}

// escapeHome keeps letters, digits, and - _ ~, and writes all else as %XX: a cookie's value may hold neither spaces nor letters beyond ASCII.
func escapeHome(home string) string {
	var b strings.Builder
	for i := range len(home) {
		switch c := home[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '~':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
