package router

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Headers of requests and answers.
const (
	// HeaderHandle names a record: its handle, or its bare identifier.
	HeaderHandle = "X-Geoshard-Handle"
	// HeaderPlace is the datacenter that a client chooses for a new record.
	HeaderPlace = "X-Geoshard-Place"
	// HeaderExplain asks for the headers that tell of the decision, with the value 1.
	HeaderExplain = "X-Geoshard-Explain"
	// HeaderDatacenter, HeaderOwner, HeaderMode and HeaderReason tell of the decision.
	HeaderDatacenter = "X-Geoshard-Datacenter"
	HeaderOwner      = "X-Geoshard-Owner"
	HeaderMode       = "X-Geoshard-Mode"
	HeaderReason     = "X-Geoshard-Reason"
)

// Parameters of URLs.
const (
	// QueryHandle names a record.
	QueryHandle = "handle"
	// QueryHop is what a redirect adds. Who receives it does not redirect again, so that two processes that disagree do not send a client to and fro.
	QueryHop = "geoshard-hop"
)

const hopMark = QueryHop + "=1"

// AddHop marks the query of a redirect's target.
func AddHop(rawQuery string) string {
	switch {
	case rawQuery == "":
		return hopMark
	case Hopped(rawQuery):
		return rawQuery
	default:
		return rawQuery + "&" + hopMark
	}
}

// Hopped reports whether a redirect brought a request here, by its query.
func Hopped(rawQuery string) bool {
	return strings.Contains(rawQuery, hopMark) && slices.Contains(strings.Split(rawQuery, "&"), hopMark)
}

// WithoutHop is a query without the mark of a redirect, and as it was otherwise.
func WithoutHop(rawQuery string) string {
	if !Hopped(rawQuery) {
		return rawQuery
	}
	return strings.Join(slices.DeleteFunc(strings.Split(rawQuery, "&"), func(part string) bool { return part == hopMark }), "&")
}

// A Request is what the router reads of an HTTP request.
type Request struct {
	Query Query
	// ID is the record's identifier; empty when the request names no record.
	ID string
	// Lookup says that the request has the bare identifier: a Directory knows the home. Until it is asked, Query.Home is that of the user's cookie, if any.
	Lookup bool
	// Route is the number of the route in the configuration that matched, or -1.
	Route int
}

// A Reader reads HTTP requests for one datacenter. It does not change and is safe for concurrent use.
type Reader struct {
	table *Table
	here  DC
	keys  *signing.Keyring
}

// NewReader makes a reader. Without keys no cookie is taken.
func NewReader(t *Table, here DC, keys *signing.Keyring) *Reader {
	return &Reader{table: t, here: here, keys: keys}
}

// Read reads a request. Nothing that a client sends makes it fail. What names a record and cannot be a handle is noted in Query.Unroutable;
// anything else that it cannot use counts as absent.
func (r *Reader) Read(req *http.Request, now time.Time) Request {
	read := Request{Route: -1, Query: Query{Here: r.here, Class: classOf(req.Method)}}
	path := req.URL.EscapedPath()
	var handle, home string
	for i := range r.table.routes {
		route := &r.table.routes[i]
		itsHandle, itsHome, matched := route.match(path)
		if !matched {
			continue
		}
		allowed := route.declared.Allows(req.Method)
		if allowed || handle == "" && home == "" { // what a path names it names for every method
			handle, home = itsHandle, itsHome
		}
		if allowed {
			read.Route, read.Query.Class, read.Query.Redirect = i, route.class, route.redirect
			break
		}
	}
	for _, place := range r.table.settings.Handle {
		switch {
		case read.Query.Unroutable != ReasonUnknown:
		case read.Query.Home != "" || read.Lookup && place != topology.HandleInCookie: // found already
		case place == topology.HandleInPath && home != "":
			read.Query.Home, read.Query.Source, read.ID = home, SourcePath, handle
		case place == topology.HandleInPath:
			read.Take(handle, SourcePath)
		case place == topology.HandleInHeader:
			read.Take(single(req.Header, HeaderHandle), SourceHeader)
		case place == topology.HandleInQuery && strings.Contains(req.URL.RawQuery, QueryHandle):
			read.Take(req.URL.Query().Get(QueryHandle), SourceQuery)
		case place == topology.HandleInCookie:
			r.openCookie(&read, req, now)
		}
	}
	read.Query.Explicit = single(req.Header, HeaderPlace)
	r.locate(&read.Query, req)
	return read
}

// classOf is the class of requests that match no route: GET, HEAD and OPTIONS read.
func classOf(method string) Class {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, "":
		return Read
	default:
		return Write
	}
}

// Take reads a handle, or a bare identifier, whose home a directory may know. Of anything else it notes that the request cannot be routed; no text is nothing.
// It reports whether there was a text.
func (read *Request) Take(text string, source Source) bool {
	if text == "" {
		return false
	}
	read.Query.Source = source
	if home, id, ok := ParseHandle(text); ok {
		read.Query.Home, read.ID = home, id
	} else if isID(text) {
		read.ID, read.Lookup = text, true
	} else {
		read.Query.Unroutable = ReasonBadHandle
	}
	return true
}

// WithoutDirectory is for a router that cannot look up the home of a bare identifier. A read is served by any copy; a write that goes by no cookie is
// refused, since it would be taken for one that makes a record.
func (read *Request) WithoutDirectory() {
	if read.Lookup && read.Query.Home == "" && read.Query.Class != Read {
		read.Query.Unroutable = ReasonNoDirectory
	}
}

// openCookie takes the first cookie of the name that was signed: a client may carry others of the same name from elsewhere. A home that is nobody's
// any more, because zones have changed since, must not lock its user out.
func (r *Reader) openCookie(read *Request, req *http.Request, now time.Time) {
	if r.keys == nil || req.Header["Cookie"] == nil {
		return
	}
	for _, c := range req.CookiesNamed(r.table.settings.Cookie.Name) {
		home, ok := OpenCookie(r.keys, c.Value, now)
		if _, owned := r.table.Owner(home); ok && owned {
			read.Query.Home, read.Query.Source = home, SourceCookie
			return
		}
	}
}

// single is the value of a header that comes once. Of two values nobody knows which one was meant, or added on the way.
func single(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// locate takes the word of a trusted peer on where the client is.
func (r *Reader) locate(q *Query, req *http.Request) {
	country, location := r.table.settings.Trust.Country, r.table.settings.Trust.Location
	if !r.table.Trusts(req.RemoteAddr) {
		return
	}
	if country != "" {
		q.Country = single(req.Header, country)
		return
	}
	lat, long, found := strings.Cut(single(req.Header, location), ",")
	if !found {
		return
	}
	var badLat, badLong error
	q.Lat, badLat = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	q.Long, badLong = strconv.ParseFloat(strings.TrimSpace(long), 64)
	q.HasPlace = badLat == nil && badLong == nil
}

// Trusts reports whether a peer, as ADDRESS:PORT, is in one of the trusted networks: it may say where a client is, and by which way its request came.
func (t *Table) Trusts(peer string) bool {
	if len(t.trusted) == 0 {
		return false
	}
	at, err := netip.ParseAddrPort(peer)
	address := at.Addr().Unmap().WithZone("")
	return err == nil && slices.ContainsFunc(t.trusted, func(network netip.Prefix) bool { return network.Contains(address) })
}

// Cookie is the affinity cookie for a record's home; nil without keys, and for a home that no cookie can carry.
func (r *Reader) Cookie(home string, now time.Time) *http.Cookie {
	return r.table.Cookie(r.keys, home, now)
}

// Cookie is Reader.Cookie with keys of the caller's.
func (t *Table) Cookie(keys *signing.Keyring, home string, now time.Time) *http.Cookie {
	if keys == nil {
		return nil
	}
	s := t.settings.Cookie
	value := SealCookie(keys, home, now.Add(s.MaxAge))
	if value == "" {
		return nil
	}
	return &http.Cookie{Name: s.Name, Value: value, Path: "/", MaxAge: int(s.MaxAge / time.Second), Secure: !s.PlainHTTP, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Tell writes the headers that tell of a decision.
func (t *Table) Tell(h http.Header, d Decision) {
	h.Set(HeaderDatacenter, string(t.Datacenter(d.To)))
	h.Set(HeaderOwner, string(t.Datacenter(d.Owner)))
	h.Set(HeaderMode, d.Mode.String())
	h.Set(HeaderReason, d.Reason.String())
}

// RedirectURL is where a request goes on another datacenter's gateway: its endpoint with the request's path and query, marked as redirected. It is empty for
// a datacenter without an endpoint.
func (t *Table) RedirectURL(to DC, u *url.URL) string {
	base := strings.TrimRight(t.Endpoint(to), "/")
	if base == "" {
		return ""
	}
	return base + "/" + strings.TrimLeft(u.EscapedPath(), "/") + "?" + AddHop(u.RawQuery)
}

// RedirectStatus keeps the method and the body of the request, and is not remembered: the next decision may be another one.
const RedirectStatus = http.StatusTemporaryRedirect
