package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// A Source is the cluster that a plan is for. Package zones/catalog has one.
//
// What its user may not look at, and what the server does not tell, is an error for which Refused is true: the plan does without, and says which privilege it takes.
type Source interface {
	zones.Reader
	zones.History
	// UnknownValues counts the documents of a sharded collection whose value of the zone field is in no range of its placement, and shows some of the values.
	UnknownValues(ctx context.Context, p zones.Placement) (documents int64, examples []string, err error)
	// Measure replaces the estimates of a forecast by what the servers count.
	Measure(ctx context.Context, f *zones.Forecast) error
	Privileges(ctx context.Context) (Privileges, error)
	// Kept tells what shards hold that zones do not take away.
	Kept(ctx context.Context, shards []topology.ShardID) (*zones.Kept, error)
	// Applying is how long applying a plan will take about; 0 where that cannot be told.
	Applying(ctx context.Context, p *zones.Plan) time.Duration
	Refused(err error) bool
}

// LastApplied returns the layout that the journal has as the last one applied, nil if there is none: what New needs to tell drift from intent.
func LastApplied(ctx context.Context, h zones.History) (*zones.Layout, error) {
	run, err := h.LastDone(ctx)
	if err != nil || run == nil {
		return nil, err
	}
	return &run.After, nil
}

// Make reads a cluster and plans what gives it the zones and ranges of a topology. It asks the source for what is not in a state: what the last apply left, how
// much will move, which documents have values that the topology does not know, and which privileges the user lacks.
//
// Errors are those of New and of the source.
func Make(ctx context.Context, source Source, world *topology.Topology, o Options, now time.Time) (*zones.Plan, error) {
	state, plan, err := Compare(ctx, source, world, o, now)
	if err != nil {
		return nil, err
	}
	m := maker{source, world, plan, state.Version, plan.Findings}
	if err := m.values(ctx, state); err != nil {
		return nil, err
	}
	kept, err := Drained(ctx, source, world, state, plan.Layout)
	if err != nil {
		return nil, err
	}
	m.report = append(m.report, kept...)
	return plan, m.complete(ctx)
}

// Compare is the part of Make that takes no more than the catalogue and the journal: a plan whose forecast is an estimate.
func Compare(ctx context.Context, source Source, world *topology.Topology, o Options, now time.Time) (*zones.State, *zones.Plan, error) {
	state, err := source.Read(ctx, zones.Declared(world))
	if err != nil {
		return nil, nil, err
	}
	applied, err := LastApplied(ctx, source)
	if err != nil && !source.Refused(err) {
		return nil, nil, err
	}
	plan, err := New(world, state, applied, o, now)
	return state, plan, err
}

// Rollback plans the way back to the layout that the journal has from before its last finished run; see Undo. ErrNothingApplied means that there is none.
func Rollback(ctx context.Context, source Source, world *topology.Topology, rate topology.ByteRate, now time.Time) (*zones.Plan, error) {
	state, err := source.Read(ctx, zones.Declared(world))
	if err != nil {
		return nil, err
	}
	run, err := source.LastDone(ctx)
	if err == nil && run == nil {
		err = ErrNothingApplied
	}
	if err != nil {
		return nil, fmt.Errorf("rollback: %w", err)
	}
	plan := Undo(run, world, state, rate, now)
	m := maker{source, world, plan, state.Version, plan.Findings}
	return plan, m.complete(ctx)
}

// A maker adds to a plan what its source tells.
type maker struct {
	source Source
	world  *topology.Topology
	plan   *zones.Plan
	// version is that of the oldest server: nobody has to have a privilege that it does not know.
	version string
	report
}

// values looks for documents of sharded collections that belong to no zone. Where the topology gives them to a zone there are none.
func (m *maker) values(ctx context.Context, state *zones.State) error {
	var silent error // a shard that did not answer would not for the next collection either
	for _, p := range m.plan.Layout.Collections {
		found, _ := state.Collection(p.Collection)
		ns, declared := m.world.NamespaceOf(p.Collection)
		if !declared || !found.Sharded || ns.Unknown == topology.UnknownToZone || !leads(ns, p.Key) {
			continue
		}
		var documents int64
		var examples []string
		err := silent
		if err == nil {
			documents, examples, err = m.source.UnknownValues(ctx, p)
		}
		switch {
		case m.source.Refused(err):
		case ctx.Err() != nil:
			return err
		case err != nil:
			silent = err
			m.warn("values-unread", p.Collection, "look at the servers of its shards, and plan again", "whether it has documents that belong to no zone is not known: %v", err)
		case documents > 0:
			m.unknownValues(ns, p.Collection, documents, examples)
			m.withhold(found)
		}
	}
	return nil
}

// withhold takes the step out of the plan that would have undeclared values refused, where documents have such values: each update of them would fail.
func (m *maker) withhold(c zones.Collection) {
	now, _ := zones.SplitValidator(c.Validator)
	at := slices.IndexFunc(m.plan.Steps, func(s zones.Step) bool {
		set, ok := s.Change.(zones.SetValidator)
		return ok && set.Collection == c.Name
	})
	if at < 0 || now != nil {
		return
	}
	m.plan.Steps = slices.Delete(m.plan.Steps, at, at+1)
	for i, p := range m.plan.Layout.Collections {
		if p.Collection == c.Name {
			m.plan.Layout.Collections[i].Reject = nil
		}
	}
	m.warn("validator-waits", c.Name, "give them a declared value (geoshard rehome), then plan again", "undeclared values are not refused yet, because each update of the documents that have one would fail")
}

// complete measures what the plan moves, and tells of interrupted applies and missing privileges.
func (m *maker) complete(ctx context.Context) error {
	unfinished, err := m.source.Unfinished(ctx)
	if err != nil && !m.source.Refused(err) {
		return err
	}
	for _, run := range unfinished {
		m.interrupted(run)
	}
	if len(m.plan.Forecast.Moves) > 0 {
		switch err := m.source.Measure(ctx, &m.plan.Forecast); {
		case err == nil || m.source.Refused(err):
		case ctx.Err() != nil:
			return err
		default:
			m.note("forecast-estimated", "forecast", "look at the servers of the shards, and plan again", "what moves is estimated, because it could not be counted: %v", err)
		}
	}
	if !m.plan.Empty() {
		m.plan.Applying = m.source.Applying(ctx, m.plan)
	}
	may, err := m.source.Privileges(ctx)
	if err != nil && !m.source.Refused(err) {
		return err
	}
	// Whoever plans needs the one role now; somebody else may have the other and apply the plan.
	role, severity := PlanRole(m.plan.Namespaces).For(m.version), zones.SeverityError
	missing := may.Missing(role.Privileges)
	if len(missing) == 0 && !m.plan.Empty() {
		role, severity = ApplyRole(m.plan.Namespaces).For(m.version), zones.SeverityWarning
		missing = may.Missing(role.Privileges)
	}
	if len(missing) > 0 {
		m.add(severity, "missing-privileges", role.Name, "grant the role that geoshard roles prints", "this user lacks %s", strings.Join(missing, ", "))
	}
	m.plan.Findings = m.report
	return nil
}
