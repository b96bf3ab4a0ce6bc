package catalog

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/plan"
)

// Plan reads the cluster and plans what gives it the zones and ranges of a topology; see plan.Make.
func (c *Catalog) Plan(ctx context.Context, world *topology.Topology, o plan.Options) (*zones.Plan, error) {
	return plan.Make(ctx, c.source(), world, o, time.Now())
}

// Rollback plans the way back to the layout from before the last apply; see plan.Rollback.
func (c *Catalog) Rollback(ctx context.Context, world *topology.Topology, rate topology.ByteRate) (*zones.Plan, error) {
	return plan.Rollback(ctx, c.source(), world, rate, time.Now())
}

// A source is what plans are made of: the catalogue and the journal.
type source struct {
	*Catalog
	*Journal
}

func (c *Catalog) source() source { return source{c, c.Journal()} }

// Measure counts within the bounds that hold where none are given.
func (s source) Measure(ctx context.Context, f *zones.Forecast) error {
	return s.Catalog.Measure(ctx, f, MeasureOptions{})
}

// UnknownValues counts the documents of up to MaxUnknown values. A collection that was dropped meanwhile has none.
func (s source) UnknownValues(ctx context.Context, p zones.Placement) (documents int64, examples []string, err error) {
	values, _, err := s.Catalog.UnknownValues(ctx, p.Collection, p.Key[0].Name, p)
	if errors.Is(err, ErrNoCollection) {
		return 0, nil, nil
	}
	for _, v := range values {
		documents += v.Documents
		examples = append(examples, v.String())
	}
	return documents, examples, err
}

// acknowledgedWithin bounds the question how long an acknowledgement takes: without a majority it has no answer, and a plan can do without.
const acknowledgedWithin = 3 * time.Second

// Applying asks how long an acknowledgement takes.
func (s source) Applying(ctx context.Context, p *zones.Plan) time.Duration {
	if took := s.acknowledgement(ctx); took > 0 {
		return apply.Expected(p, took)
	}
	return 0
}

// acknowledgement is how long a majority of the config servers takes to acknowledge a write; 0 where they do not tell. It reads a document linearizably:
// the primary then asks a majority, as it does for a write. It takes the shorter of two reads, since the first one may have to connect.
func (s source) acknowledgement(ctx context.Context) (least time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, acknowledgedWithin)
	defer cancel()
	version := s.config().Collection("version", options.Collection().SetReadConcern(readconcern.Linearizable()).SetReadPreference(readpref.Primary()))
	for range 2 {
		began := time.Now()
		if err := version.FindOne(ctx, bson.D{}).Err(); err != nil {
			break
		}
		if took := time.Since(began); least == 0 || took < least {
			least = took
		}
	}
	return least
}

// Refused reports whether the server will not do a thing, however often it is asked.
func (s source) Refused(err error) bool { return refused(err) }

// A Status is how far a cluster is on the way to what a topology declares.
type Status struct {
	State *zones.State `json:"state"`
	// Changes is the number of steps that a plan without options would have, Drifted of them because somebody changed what was applied.
	Changes int `json:"changes"`
	Drifted int `json:"drifted"`
	// Left is what lies outside the declared zones. It is nil where the user or the server does not allow to look, or a shard does not answer; Unseen says why then.
	Left   *apply.Remaining `json:"left,omitempty"`
	Unseen string           `json:"unseen,omitempty"`
	// Drained are findings about shards that are to be empty: see plan.Drained.
	Drained []zones.Finding `json:"drained,omitempty"`
	// Last is the newest run of the journal, nil if there is none or if the journal cannot be read.
	Last *zones.Run `json:"last,omitempty"`
}

// statusCountsWithin is how long the shards may take to count what lies outside its zone, for somebody who waits for a status. A wait counts as much every second.
const statusCountsWithin = 15 * time.Second

// Status looks at the cluster once. It measures only as much as a wait does at each look. Errors are those of plan.New and of reading.
func (c *Catalog) Status(ctx context.Context, world *topology.Topology) (*Status, error) {
	state, plan, err := plan.Compare(ctx, c.source(), world, plan.Options{}, time.Now())
	if err != nil {
		return nil, err
	}
	s := &Status{State: state, Changes: len(plan.Steps)}
	for _, step := range plan.Steps {
		if step.Cause == zones.CauseDrift {
			s.Drifted++
		}
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		left, unread, err := answered(inner, statusCountsWithin, func(ctx context.Context) (apply.Remaining, error) { return c.Remaining(ctx, plan.Layout) })
		if s.Left = &left; unread != "" {
			s.Left, s.Unseen = nil, "documents outside their zone, copies left behind and migrations could not be counted: "+unread
		}
		return err
	})
	group.Go(func() (err error) {
		s.Drained, err = c.Drained(inner, world, state, plan.Layout)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	runs, err := c.Journal().Runs(ctx, 1)
	if err != nil && !refused(err) {
		return nil, err
	}
	if len(runs) > 0 {
		s.Last = &runs[0]
	}
	return s, nil
}
