package ginroute

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Options say how requests are routed. Table and Here are required.
type Options struct {
	Table *router.Table
	// Here is the datacenter of this process.
	Here topology.DatacenterID
	// Keys sign and open the affinity cookie. nil = no cookie.
	Keys *signing.Keyring
	// Directory finds the homes of records of which a request has the bare identifier. nil = such reads are served here, such writes refused.
	Directory router.Directory
	// Health is what is known of the world when a request comes; it returns nil when nothing is. nil = everything is healthy.
	Health func() *router.Health
	// Handle and Home are the names of gin's path parameters for a record's handle or identifier, and for a home, beside the topology's own routes.
	// Empty = "handle" and "home".
	Handle, Home string
	// Explain adds the headers X-Geoshard-* to every answer, not only where a request asks for them by X-Geoshard-Explain.
	Explain bool
	// Refuse answers a request for a record that cannot be found: its home is nobody's, its handle is none, or there is no Directory for its bare
	// identifier (Decision.Reason of From says which). nil = 404, for no handle 400, with problem details (RFC 9457).
	Refuse func(c *gin.Context)
	// Failed answers a request whose record could not be looked up. nil = 503 with problem details.
	Failed func(c *gin.Context, err error)
	// Now is the clock. nil = time.Now.
	Now func() time.Time
}

// ErrIncomplete means that a required option is missing or names nothing.
var ErrIncomplete = errors.New("ginroute: Table and Here are required, and Here has to be a datacenter of the table that runs the application")

// New makes the middleware.
func New(o Options) (gin.HandlerFunc, error) {
	if o.Table == nil || !o.Table.Serving().Has(o.Table.DC(o.Here)) {
		return nil, fmt.Errorf("%w: got %q", ErrIncomplete, o.Here)
	}
	m := &middleware{Options: o, here: o.Table.DC(o.Here)}
	m.reader = router.NewReader(o.Table, m.here, o.Keys)
	m.setDefaults()
	return m.handle, nil
}

type middleware struct {
	Options
	here   router.DC
	reader *router.Reader
}

func (m *middleware) setDefaults() {
	m.Options.Handle, m.Home = cmp.Or(m.Options.Handle, topology.WildHandle), cmp.Or(m.Home, topology.WildHome)
	if m.Health == nil {
		m.Health = func() *router.Health { return nil }
	}
	if m.Refuse == nil {
		m.Refuse = refuse
	}
	if m.Failed == nil {
		unavailable := problem(http.StatusServiceUnavailable, "the record's home could not be looked up", "send the request again")
		m.Failed = func(c *gin.Context, _ error) { unavailable(c) }
	}
	if m.Now == nil {
		m.Now = time.Now
	}
}

// A Routed is what the handler learns of a request.
type Routed struct {
	router.Decision
	// Home is the zone key's value of the record: that of an existing one, or the one that a new record is to get. It is empty where there is none.
	Home string
	// ID is the record's identifier; empty where the request names none.
	ID string
	// Served is the datacenter of this process.
	Served topology.DatacenterID
}

const contextKey = "github.com/geoshard/geoshard/router/ginroute"

// From returns what the middleware decided; the zero value where it did not run.
func From(c *gin.Context) Routed {
	v, _ := c.Get(contextKey)
	routed, _ := v.(Routed)
	return routed
}

func (m *middleware) handle(c *gin.Context) {
	now := m.Now()
	read := m.reader.Read(c.Request, now)
	m.parameters(c, &read)
	if err := m.lookUp(c, &read); err != nil {
		m.Failed(c, err)
		c.Abort()
		return
	}
	d := m.Table.Decide(&read.Query, m.Health())
	if d.To != m.here && d.To != router.NoDC && router.Hopped(c.Request.URL.RawQuery) {
		d = m.serveHere(d)
	}
	if m.Explain || c.Request.Header.Get(router.HeaderExplain) != "" {
		m.Table.Tell(c.Writer.Header(), d)
	}
	switch target := m.Table.RedirectURL(d.To, c.Request.URL); {
	case d.Mode == router.Refuse:
		c.Set(contextKey, Routed{Decision: d, Home: read.Query.Home, ID: read.ID, Served: m.Here})
		m.Refuse(c)
		c.Abort()
	case d.To == m.here, target == "", d.Mode == router.Wait:
		m.serve(c, read, d, now)
	default:
		c.Header("Cache-Control", "no-store") // homes change
		c.Header("Location", target)
		c.AbortWithStatus(router.RedirectStatus)
	}
}

// parameters reads gin's path parameters where the topology's routes found nothing in the path.
func (m *middleware) parameters(c *gin.Context, read *router.Request) {
	if read.Query.Source == router.SourcePath || read.Query.Source != router.SourceUnknown && m.Table.Settings().Handle[0] != topology.HandleInPath {
		return
	}
	var found router.Request
	if found.Take(c.Param(m.Options.Handle), router.SourcePath) {
		read.ID, read.Lookup, read.Query.Unroutable = found.ID, found.Lookup, found.Query.Unroutable
		if !found.Lookup { // else the cookie's home may do
			read.Query.Home, read.Query.Source = found.Query.Home, router.SourcePath
		}
	}
	if home := c.Param(m.Home); home != "" {
		read.Query.Home, read.Query.Source, read.Lookup = home, router.SourcePath, false
	}
}

// lookUp asks the directory for a home. What it does not know, the handler does not find either: here is as good as anywhere.
func (m *middleware) lookUp(c *gin.Context, read *router.Request) error {
	if !read.Lookup {
		return nil
	}
	if m.Directory == nil {
		read.WithoutDirectory()
		return nil
	}
	home, err := m.Directory.Home(c.Request.Context(), read.ID)
	switch {
	case errors.Is(err, router.ErrNoSuchRecord) && read.Query.Home == "":
		read.Query.Class = router.Read
	case errors.Is(err, router.ErrNoSuchRecord): // the cookie's home it is
	case err != nil:
		return err
	default:
		read.Query.Home, read.Query.Source = home, router.SourceDirectory
	}
	return nil
}

// serveHere is the decision for a request that was redirected to this process by one that knows better, or thinks so.
func (m *middleware) serveHere(d router.Decision) router.Decision {
	d.To, d.Mode = m.here, router.Local
	if d.Placed() && m.Table.NewHome(m.here) != "" {
		d.Owner = m.here
	}
	return d
}

func (m *middleware) serve(c *gin.Context, read router.Request, d router.Decision, now time.Time) {
	routed := Routed{Decision: d, Home: read.Query.Home, ID: read.ID, Served: m.Here}
	if read.Query.Class == router.New || read.Query.Class == router.Write && read.Query.Home == "" {
		routed.Home = m.Table.NewHome(d.Owner)
		if cookie := m.reader.Cookie(routed.Home, now); cookie != nil {
			http.SetCookie(c.Writer, cookie)
		}
	}
	c.Set(contextKey, routed)
	c.Next()
}

// refuse says why a record cannot be found.
func refuse(c *gin.Context) {
	switch From(c).Reason {
	case router.ReasonBadHandle:
		problem(http.StatusBadRequest, "what names the record cannot be a handle", router.HandleForm)(c)
	case router.ReasonNoDirectory:
		problem(http.StatusNotFound, "the request names its record without the home", "send the handle HOME.ID")(c)
	default:
		problem(http.StatusNotFound, "no datacenter is the home of such a record", "the handle names a home that the topology does not have")(c)
	}
}

func problem(status int, title, detail string) func(*gin.Context) {
	return func(c *gin.Context) {
		c.Header("Cache-Control", "no-store")
		c.Header("Content-Type", "application/problem+json")
		c.AbortWithStatusJSON(status, gin.H{"type": "about:blank", "title": title, "status": status, "detail": detail})
	}
}
