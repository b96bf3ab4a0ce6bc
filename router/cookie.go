package router

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/geoshard/geoshard/signing"
)

const (
	// maxCookie is far above what a home of any sense makes; what is longer is not looked at.
	maxCookie = 512
	// cookiePurpose is what keys sign cookies for. Its version changes with the layout.
	cookiePurpose = "geoshard home cookie 1"
)

var (
	macText   = base64.RawURLEncoding.Strict()
	macLength = macText.EncodedLen(signing.Size)
)

// A cookie's text is KEY.EXPIRY.HOME.MAC: the key's identifier, seconds since 1970 in base 36, the home with what a cookie cannot carry as %XX, and the
// signature of all that comes before its dot. The identifier alone may have dots itself.

// SealCookie writes a home as a cookie's value. It is empty for a home that no cookie can carry, because it is empty, too long or has control characters.
func SealCookie(keys *signing.Keyring, home string, expiry time.Time) string {
	if home == "" || !printable(home) {
		return ""
	}
	key := keys.Signing()
	text := key.ID() + "." + strconv.FormatInt(max(0, expiry.Unix()), 36) + "." + escapeHome(home)
	if len(text)+1+macLength > maxCookie {
		return ""
	}
	sum := key.Sum(cookiePurpose, text)
	return text + "." + macText.EncodeToString(sum[:])
}

// OpenCookie returns the home of a cookie's value. It is false without keys, for what SealCookie did not write with one of them, and for what has
// expired. It allocates nothing but for a home that a cookie carries as %XX.
func OpenCookie(keys *signing.Keyring, text string, now time.Time) (home string, ok bool) {
	signed := len(text) - macLength - 1
	if keys == nil || signed < 0 || len(text) > maxCookie || text[signed] != '.' {
		return "", false
	}
	rest, home, _ := cutLastDot(text[:signed])
	id, expiry, whole := cutLastDot(rest)
	key, known := keys.Key(id)
	if !whole || !known || !bearsSum(key, text[:signed], text[signed+1:]) {
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

// cutLastDot cuts a text around its last dot.
func cutLastDot(text string) (before, after string, found bool) {
	dot := strings.LastIndexByte(text, '.')
	return text[:max(dot, 0)], text[dot+1:], dot >= 0
}

// bearsSum reports whether a signature, as cookies have it, is the key's.
func bearsSum(key signing.Key, text, mac string) bool {
	var sum [signing.Size]byte
	_, err := macText.Decode(sum[:], []byte(mac))
	return err == nil && key.Signed(cookiePurpose, text, sum[:])
}

// escapeHome keeps letters, digits, and - _ ~, and writes all else as %XX: a cookie's value may hold neither spaces nor letters beyond ASCII, and dots part it.
func escapeHome(home string) string { return beyondQuery.Replace(url.QueryEscape(home)) }

var beyondQuery = strings.NewReplacer("+", "%20", ".", "%2E")
