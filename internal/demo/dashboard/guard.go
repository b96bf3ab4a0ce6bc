package dashboard

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// HeaderToken carries the token of requests that change something. A page of another origin cannot send it without being asked first, and is not allowed to.
const HeaderToken = "X-Geoshard-Dashboard-Token"

// NewToken makes a token that nobody guesses.
func NewToken() string {
	secret := make([]byte, 24)
	_, _ = rand.Read(secret) // never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// policy lets the page load what this server sends and nothing else; scripts and styles are files of their own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// guarded refuses requests under a name that its owner may lead anywhere (DNS rebinding), and gives all answers the headers that keep the page to itself.
func (d *Dashboard) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !d.ownHost(r.Host) {
			refuse(w, http.StatusForbidden, "this server is not called "+printable(r.Host), "open it by its address, or by localhost")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether a request may have that Host: an address, localhost, or a further name of the options.
func (d *Dashboard) ownHost(host string) bool {
	name := host
	if only, _, err := net.SplitHostPort(host); err == nil {
		name = only
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return slices.ContainsFunc(append([]string{"localhost"}, d.o.Hosts...), func(own string) bool { return strings.EqualFold(name, own) })
}

// acting lets a request that changes something pass if it has the token and comes from no other origin; few are done at the same time.
func (d *Dashboard) acting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := d.origins.Check(r); err != nil || !sameOrigin(r) {
			refuse(w, http.StatusForbidden, "the request comes from a page of another origin", "use the page that this server sends")
			return
		}
		if subtle.ConstantTimeCompare([]byte(r.Header.Get(HeaderToken)), []byte(d.o.Token)) != 1 {
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong", "open the address that was printed at the start, with all that is behind the #")
			return
		}
		select {
		case d.turns <- struct{}{}:
			defer func() { <-d.turns }()
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusTooManyRequests, "too many actions are under way", "wait until one has ended")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		next.ServeHTTP(w, r)
	})
}

// sameOrigin reports whether a request's Origin, where it has one, is this server under the name of the request.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host || origin == "https://"+r.Host
}

// A refusal is how the API says no.
type refusal struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

func refuse(w http.ResponseWriter, status int, text, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refusal{text, hint}) // the client may be gone
}

// printable keeps what a client sent from being more than a name.
func printable(text string) string {
	if len(text) > 80 {
		text = text[:80]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}
