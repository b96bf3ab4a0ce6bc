package catalog

import (
	"context"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A Status is how far a cluster is on the way to what a topology declares.
type Status struct {
	State *zones.State `json:"state"`
	// Changes is the number of steps that a plan without options would have, Drifted of them because somebody changed what was applied.
	Changes int `json:"changes"`
	Drifted int `json:"drifted"`
	// Left is what lies outside the declared zones. It is nil where the user or the server does not allow to look; Unseen says why then.
	Left   *zones.Remaining `json:"left,omitempty"`
	Unseen string           `json:"unseen,omitempty"`
	// Last is the newest run of the journal, nil if there is none or if the journal cannot be read.
	Last *zones.Run `json:"last,omitempty"`
}

// Status looks at the cluster once. It measures only as much as a wait does at each look. Errors are those of zones.NewPlan and of reading.
func (c *Catalog) Status(ctx context.Context, world *topology.Topology) (*Status, error) {
	state, err := c.ReadDeclared(ctx, world)
	if err != nil {
		return nil, err
	}
	applied, err := c.lastApplied(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := zones.NewPlan(world, state, applied, zones.PlanOptions{}, time.Now())
	if err != nil {
		return nil, err
	}
	s := &Status{State: state, Changes: len(plan.Steps)}
	for _, step := range plan.Steps {
		if step.Cause == zones.CauseDrift {
			s.Drifted++
		}
	}
	switch left, err := c.Remaining(ctx, plan.Layout); {
	case refused(err):
		s.Unseen = err.Error()
	case err != nil:
		return nil, err
	default:
		s.Left = &left
	}
	runs, err := NewJournal(c.client).Runs(ctx, 1)
	if err != nil && !refused(err) {
		return nil, c.fail("read the journal", "find", zones.JournalDatabase+"."+journalCollection, err)
	}
	if len(runs) > 0 {
		s.Last = &runs[0]
	}
	return s, nil
}
