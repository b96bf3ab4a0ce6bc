package homeguard

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// A Mode says what becomes of an operation that leaves its datacenter.
type Mode int

// The modes. Each does what the ones before it do.
const (
	// ModeCount counts.
	ModeCount Mode = iota
	// ModeWarn warns as well, once in a while for each shape.
	ModeWarn
	// ModeRefuse also refuses, in the collections that the guard wraps.
	ModeRefuse
)

var modeNames = []string{"count", "warn", "refuse"}

// String is "count", "warn" or "refuse".
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("mode(%d)", int(m))
	}
	return modeNames[m]
}

// ParseMode reads what String writes.
func ParseMode(text string) (Mode, error) {
	if m := slices.Index(modeNames, text); m >= 0 {
		return Mode(m), nil
	}
	return 0, fmt.Errorf("mode %q: use count, warn or refuse: %w", text, ErrOptions)
}

// Defaults of Options.
const (
	// DefaultShapes is more than a well-kept program has.
	DefaultShapes = 500
	// DefaultEvery lets a warning be seen without filling a log.
	DefaultEvery = time.Minute
)

// Options say what a guard knows. World and Here are required.
type Options struct {
	World *topology.Topology
	// Here is the datacenter of the program.
	Here topology.DatacenterID
	Mode Mode
	// Log takes the warnings; nil = slog.Default.
	Log *slog.Logger
	// Every is the least time between two warnings about the same shape; 0 = DefaultEvery.
	Every time.Duration
	// Shapes bounds the shapes that are told apart, the rest are one; 0 = DefaultShapes.
	Shapes int
	// Client are the options of the client whose collections are wrapped: its read preference, registry and BSON options count. nil = the driver's defaults.
	Client *options.ClientOptions
	// Now is the clock for Every; nil = time.Now.
	Now func() time.Time
}

// A Guard judges, counts and warns. It is safe for concurrent use, and holds neither goroutines nor connections.
type Guard struct {
	options Options
	judge   *judge
	tally   *tally
}

// New makes a guard. The error is ErrOptions, or says what of the topology cannot be laid out.
func New(o Options) (*Guard, error) {
	if o.World == nil {
		return nil, fmt.Errorf("%w: World is missing", ErrOptions)
	}
	if _, ok := o.World.Datacenter(o.Here); !ok {
		return nil, fmt.Errorf("%w: Here is %q, which is no datacenter of the topology", ErrOptions, o.Here)
	}
	if o.Mode < ModeCount || o.Mode > ModeRefuse || o.Shapes < 0 || o.Every < 0 {
		return nil, fmt.Errorf("%w: %s, %d shapes, every %s", ErrOptions, o.Mode, o.Shapes, o.Every)
	}
	o.Log, o.Client = cmp.Or(o.Log, slog.Default()), cmp.Or(o.Client, options.Client())
	o.Every, o.Shapes = cmp.Or(o.Every, DefaultEvery), cmp.Or(o.Shapes, DefaultShapes)
	if o.Now == nil {
		o.Now = time.Now
	}
	j, err := newJudge(o.World, o.Here)
	if err != nil {
		return nil, fmt.Errorf("lay out the topology: %w", err)
	}
	counts := &tally{limit: o.Shapes, other: &shapeCount{name: otherShapes}, shapes: map[string]*shapeCount{}}
	return &Guard{options: o, judge: j, tally: counts}, nil
}

// Judge judges a find by a filter in a namespace, from primaries. The filter is a BSON document; nil is the empty filter.
func (g *Guard) Judge(namespace string, filter []byte) Judgement {
	return *g.judgeStatement(statement{namespace: namespace, filter: filter})
}

// judgeStatement judges what is sent or about to be.
func (g *Guard) judgeStatement(s statement) *Judgement {
	switch p := g.judge.placeOf(s.namespace); {
	case p == nil:
		return outside
	case s.command == insertCommand:
		return g.judge.judgeDocument(p, s.filter)
	default:
		return g.judge.judgeFilter(p, s.filter, s.collation, s.reach)
	}
}

// allowed is the key of contexts that Allow made.
type allowed struct{}

// Allow returns a context whose operations are neither refused nor warned about; they are counted. Say in one word or two why: the warning's log of
// ModeWarn is the wrong place for what is meant.
func Allow(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, allowed{}, why)
}

func isAllowed(ctx context.Context) bool { return ctx != nil && ctx.Value(allowed{}) != nil }

// count counts one statement that is sent, and warns.
func (g *Guard) count(ctx context.Context, c command, shape *shapeCount, j *Judgement) {
	excused := j.Cross && isAllowed(ctx)
	g.tally.add(c, shape, j, excused)
	if !j.Cross || excused || g.options.Mode < ModeWarn {
		return
	}
	if n, due := shape.warningDue(g.options.Now(), g.options.Every); due {
		g.options.Log.WarnContext(ctx, "operation leaves its datacenter", "shape", shape.name, "here", string(g.options.Here), "verdict", j.Verdict.String(),
			"datacenters", spelling.List(j.Datacenters), "since_last", n)
	}
}

// refusal counts and explains the refusal of a statement; it is nil for one that may go.
func (g *Guard) refusal(ctx context.Context, s statement) error {
	j := g.judgeStatement(s)
	if !j.Cross || isAllowed(ctx) {
		return nil
	}
	shape := shapeOf(s)
	g.tally.shape(shape).refused.Add(1)
	g.tally.refused.Add(1)
	return &Error{Shape: shape, Here: g.options.Here, Judgement: *j, ZoneBy: g.judge.placeOf(s.namespace).ns.ZoneBy}
}
