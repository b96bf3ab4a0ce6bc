package topology

import (
	"slices"
	"time"

	"github.com/geoshard/geoshard/internal/enum"
)

// A Router says how requests find the datacenter that serves them. Zero values stand for the defaults, so a Router that was read is written back as it was.
type Router struct {
	// Namespace is the namespace whose ZoneBy values name the records' homes. Required unless the world has one namespace only.
	Namespace string `file:"namespace" want:"a namespace"`
	// Handle are the places where a request may name a record or its home; the first that does counts. nil = DefaultHandle.
	Handle []HandlePlace `file:"handle" want:"places" empty:"no request could name its record" hint:"leave out handle for all places"`
	// Default takes new records that nothing else places. "" = the first active datacenter.
	Default DatacenterID `file:"default" want:"a datacenter"`
	// Upstreams are the application's base URLs in each datacenter: only these are ever called.
	Upstreams []Upstream `file:"upstreams,lines" want:"a mapping of datacenters to base URLs"`
	// Routes classify requests; the first that matches counts. Others are reads if their method is safe, else writes.
	Routes []Route        `file:"routes,lines" want:"routes"`
	Cookie AffinityCookie `file:"cookie"`
	Trust  Trust          `file:"trust"`
	// Budget is how long a request may be held while a shard elects a primary. 0 = as long as that is foreseen to take (consistency.Budget).
	Budget time.Duration `file:"budget" positive:"no request is held in no time"`
	// Queue is the most requests that are held at once. 0 = DefaultQueue.
	Queue int `file:"queue" want:"a number of requests" positive:"a queue without a place holds nobody"`
}

// The defaults of a Router.
const (
	// DefaultQueue keeps the memory of held requests below what their bodies may take.
	DefaultQueue = 1000
	// DefaultCookieName is the affinity cookie's name.
	DefaultCookieName = "geoshard_home"
	// DefaultCookieAge is the affinity cookie's life: a month.
	DefaultCookieAge = 30 * 24 * time.Hour
)

// DefaultHandle looks at what names one record before the cookie, which names the home of a user's latest one.
func DefaultHandle() []HandlePlace {
	return []HandlePlace{HandleInPath, HandleInHeader, HandleInQuery, HandleInCookie}
}

// An Upstream is the application in one datacenter.
type Upstream struct {
	DC   DatacenterID `file:",key"`
	URLs []string     `file:",inline" want:"base URLs" item:"a URL such as http://127.0.0.1:9081"`
}

// A Route classifies the requests that its path and methods match.
type Route struct {
	// Path is a pattern: see ParsePath.
	Path string `file:"path,required" want:"a path such as /v1/carts/{handle}"`
	// Methods are in capitals. nil = all. See Allows.
	Methods []string   `file:"methods" want:"methods" item:"a method such as POST" empty:"no method matches" hint:"leave out methods for all"`
	Class   RouteClass `file:"class,required"`
	// Mode is RouteProxy where the file states none.
	Mode RouteMode `file:"mode"`
}

// Allows reports whether the route is for a method. As in net/http, a route for GET is for HEAD too.
func (r Route) Allows(method string) bool {
	return r.Methods == nil || slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}

// An AffinityCookie carries the home of a user's latest record.
type AffinityCookie struct {
	// Name is the cookie's name. "" = DefaultCookieName.
	Name string `file:"name" want:"a name such as geoshard_home"`
	// MaxAge is how long a cookie is taken. 0 = DefaultCookieAge.
	MaxAge time.Duration `file:"maxAge" positive:"such a cookie has expired when it is set"`
	// PlainHTTP lets the cookie travel without TLS (secure: false).
	PlainHTTP bool `file:"secure,not"`
}

// Trust says whose word counts on where a client is. The zero value trusts nobody.
type Trust struct {
	// Proxies are the networks, in CIDR notation, of the peers whose header is taken.
	Proxies []string `file:"proxies" want:"networks" item:"a network such as 10.0.0.0/8"`
	// Country and Location are the header's name: one of them is empty. Country's holds an ISO 3166-1 code of two letters, Location's "latitude,longitude".
	Country  string `file:"country" want:"a header such as CF-IPCountry"`
	Location string `file:"location" want:"a header such as X-Client-Geo-Location"`
}

// A HandlePlace is a part of a request that may name a record or its home.
type HandlePlace int

// The places of handles.
const (
	HandleUnknown HandlePlace = iota
	// HandleInPath: a route's {handle} or {home}.
	HandleInPath
	// HandleInHeader: X-Geoshard-Handle.
	HandleInHeader
	// HandleInQuery: ?handle=.
	HandleInQuery
	// HandleInCookie: the signed affinity cookie.
	HandleInCookie
)

var handleNames = []string{HandleInPath: "path", HandleInHeader: "header", HandleInQuery: "query", HandleInCookie: "cookie"}

// String is "path", "header", "query" or "cookie".
func (p HandlePlace) String() string { return enum.Name(handleNames, p) }

// MarshalText writes the name of a known place.
func (p HandlePlace) MarshalText() ([]byte, error) {
	return enum.Marshal("place of a handle", handleNames, p)
}

// UnmarshalText reads a name that String wrote.
func (p *HandlePlace) UnmarshalText(text []byte) error {
	return readName("place of a handle", handleNames, text, p)
}

// A RouteClass says what a request does to records.
type RouteClass int

// The classes of requests.
const (
	ClassUnknown RouteClass = iota
	// ClassRead changes nothing: any datacenter with a copy serves it.
	ClassRead
	// ClassWrite changes an existing record: its owner serves it.
	ClassWrite
	// ClassNew makes a record: the datacenter nearest to the client becomes its home and serves it.
	ClassNew
)

var classNames = []string{ClassRead: "read", ClassWrite: "write", ClassNew: "new"}

// String is "read", "write" or "new".
func (c RouteClass) String() string { return enum.Name(classNames, c) }

// MarshalText writes the name of a known class.
func (c RouteClass) MarshalText() ([]byte, error) { return enum.Marshal("class", classNames, c) }

// UnmarshalText reads a name that String wrote.
func (c *RouteClass) UnmarshalText(text []byte) error {
	return readName("class", classNames, text, c)
}

// A RouteMode says how a request gets to another datacenter.
type RouteMode int

// The modes of routes.
const (
	// RouteUnstated stands for RouteProxy.
	RouteUnstated RouteMode = iota
	// RouteProxy forwards the request to the application there.
	RouteProxy
	// RouteRedirect sends the client to the gateway there.
	RouteRedirect
)

var routeModeNames = []string{RouteProxy: "proxy", RouteRedirect: "redirect"}

// String is "proxy" or "redirect", or "unknown" for RouteUnstated.
func (m RouteMode) String() string { return enum.Name(routeModeNames, m) }

// MarshalText writes the name of a stated mode.
func (m RouteMode) MarshalText() ([]byte, error) { return enum.Marshal("mode", routeModeNames, m) }

// UnmarshalText reads a name that String wrote.
func (m *RouteMode) UnmarshalText(text []byte) error {
	return readName("mode", routeModeNames, text, m)
}
