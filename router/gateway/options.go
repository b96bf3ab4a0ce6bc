package gateway

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.opentelemetry.io/otel/trace"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Defaults of Options.
const (
	// DefaultCheckPath is what an application answers with 2xx when it is ready.
	DefaultCheckPath = "/readyz"
	// DefaultCheckEvery finds a lost upstream within about three seconds: two checks, and the time that each may take.
	DefaultCheckEvery  = time.Second
	DefaultCheckWithin = time.Second
	// DefaultAnswerWithin is longer than the demonstration shop takes at most for a request.
	DefaultAnswerWithin = 30 * time.Second
	// DefaultReplayLimit is how long a body may be that is kept to be sent again.
	DefaultReplayLimit = 64 << 10
	// DefaultReplayBytes bounds what all requests keep together.
	DefaultReplayBytes = 64 << 20
	// DefaultBodyLimit bounds a request's body. Bodies are streamed, so it protects the application rather than the gateway.
	DefaultBodyLimit = 1 << 30
	// DefaultRequests bounds the requests under way.
	DefaultRequests = 10_000
	// DefaultStall ends a connection on which nothing moves although the other side has to send or to take something.
	DefaultStall = 30 * time.Second
)

// Options say which gateway to make. World and Here are required; World needs its router section.
type Options struct {
	World *topology.Topology
	// Here is the gateway's datacenter.
	Here topology.DatacenterID
	// Keys sign the affinity cookies; all gateways have the same. nil = there are no cookies.
	Keys *signing.Keyring
	// Directory finds the home of records that moved, and of bare identifiers; see FreshDirectory. nil = nobody is asked.
	Directory router.Directory
	// Client leads to a query router: with it the gateway knows where each shard has its primary. nil = it works by the upstreams' health alone.
	Client *mongo.Client
	// ElectionTimeout is that of the shards' replica sets: where the topology states no budget, requests are held as long as elections are foreseen to take. 0 = MongoDB's 10 s.
	ElectionTimeout time.Duration
	// Members returns new options for connections to the shards' members, with TLS and dialler. They are watched and sent no commands, so no credentials are
	// needed. nil = the driver's defaults.
	Members func() *options.ClientOptions
	// Dial connects to upstreams. nil = the network.
	Dial Dial
	// UpstreamTLS are the files for https:// upstreams.
	UpstreamTLS TLSFiles
	// H2C speaks HTTP/2 to http:// upstreams, which all have to understand it.
	H2C bool
	// CheckPath is asked of each upstream by GET, every CheckEvery, and has to answer with 2xx within CheckWithin. 0 = the defaults.
	CheckPath               string
	CheckEvery, CheckWithin time.Duration
	// AnswerWithin is how long an upstream may take to begin its answer. 0 = DefaultAnswerWithin.
	AnswerWithin time.Duration
	// ReplayLimit and ReplayBytes bound the bodies that are kept, each and together. 0 = the defaults.
	ReplayLimit, ReplayBytes int64
	// BodyLimit bounds a request's body; 0 = DefaultBodyLimit, negative = none.
	BodyLimit int64
	// Requests bounds the requests under way, UpstreamConnections the connections to one upstream. 0 = DefaultRequests, and no bound of its own.
	Requests, UpstreamConnections int
	// Stall is how long a client may keep a request's body or an answer waiting. 0 = DefaultStall.
	Stall time.Duration
	// Explain puts the X-Geoshard-… headers and Server-Timing into every answer, not only into those to requests that ask for them.
	Explain bool
	// Log hears of what changes and of what goes wrong, not of each request. nil = nobody.
	Log *slog.Logger
	// Registerer gets the metrics. nil = they are kept nowhere.
	Registerer prometheus.Registerer
	// Traces is where spans go; nil = nowhere, and trace headers pass through untouched.
	Traces trace.TracerProvider
	// Now is the clock. nil = time.Now.
	Now func() time.Time
}

var (
	// ErrIncomplete means that a required option is missing.
	ErrIncomplete = errors.New("gateway: World and Here are required")
	// ErrNotHere means that the topology has no upstream in the gateway's own datacenter.
	ErrNotHere = errors.New("no such datacenter to serve")
)

func (o *Options) setDefaults() {
	set(&o.CheckPath, DefaultCheckPath)
	set(&o.CheckEvery, DefaultCheckEvery)
	set(&o.CheckWithin, DefaultCheckWithin)
	set(&o.AnswerWithin, DefaultAnswerWithin)
	set(&o.ReplayLimit, DefaultReplayLimit)
	set(&o.ReplayBytes, DefaultReplayBytes)
	set(&o.BodyLimit, DefaultBodyLimit)
	set(&o.Requests, DefaultRequests)
	set(&o.Stall, DefaultStall)
	set(&o.Log, slog.New(slog.DiscardHandler))
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// set gives a field its default.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
