package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/geoshard/geoshard/router"
)

// A naming is how a request names its record, which may have another home than the client says.
type naming struct {
	// handle is the record's handle as the upstream is told it; empty where it is the client's, and not an old one.
	handle string
	// named is how the request names it at present.
	named string
}

// moveTo notes that the record is elsewhere than the request says.
func (n *naming) moveTo(request *router.Request, home string) {
	if n.named == "" {
		n.named = request.ID
		if !request.Lookup {
			n.named = request.Query.Home + "." + request.ID
		}
	}
	n.handle = home + "." + request.ID
	request.Query.Home = home
}

// renamed is a copy of a request that names the record as it is called now. The original may still be read by the connection of the last try.
func (n *naming) renamed(r *http.Request) *http.Request {
	r2 := r.Clone(r.Context())
	if n.handle != "" {
		n.rename(r2)
	}
	return r2
}

// rename puts the record's present handle in the place of the one that the request has, wherever that is.
func (n *naming) rename(r *http.Request) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, segment := range segments {
		if plain, err := url.PathUnescape(segment); err == nil && plain == n.named {
			segments[i] = url.PathEscape(n.handle)
		}
	}
	escaped := strings.Join(segments, "/")
	if plain, err := url.PathUnescape(escaped); err == nil {
		r.URL.Path, r.URL.RawPath = plain, escaped
	}
	if values := r.Header[router.HeaderHandle]; len(values) == 1 && values[0] == n.named {
		r.Header[router.HeaderHandle] = []string{n.handle}
	}
	if strings.Contains(r.URL.RawQuery, router.QueryHandle) {
		if query := r.URL.Query(); query.Get(router.QueryHandle) == n.named {
			query.Set(router.QueryHandle, n.handle)
			r.URL.RawQuery = query.Encode()
		}
	}
	n.named = n.handle
}

// tell gives the client the handle of a record that has moved.
func (n *naming) tell(h http.Header) {
	if n.handle != "" {
		h.Set(router.HeaderHandle, n.handle)
	}
}
