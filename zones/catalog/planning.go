package catalog

import (
	"context"
	"errors"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// ReadDeclared reads the state of the namespaces that a topology declares, or of all that is sharded where it declares none.
func (c *Catalog) ReadDeclared(ctx context.Context, world *topology.Topology) (*zones.State, error) {
	names := make([]string, len(world.Namespaces))
	for i, ns := range world.Namespaces {
		names[i] = ns.Name
	}
	return c.Read(ctx, names)
}

// Plan reads the cluster and plans what gives it the zones and ranges of a topology. It asks the servers for what is not in a state: what the last apply
// left, how much will move, which documents have values that the topology does not know, and which privileges the user lacks.
//
// Errors are those of zones.NewPlan and of reading.
func (c *Catalog) Plan(ctx context.Context, world *topology.Topology, o zones.PlanOptions) (*zones.Plan, error) {
	state, err := c.ReadDeclared(ctx, world)
	if err != nil {
		return nil, err
	}
	applied, err := c.lastApplied(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := zones.NewPlan(world, state, applied, o, time.Now())
	if err != nil {
		return nil, err
	}
	unknown, err := c.unknownValues(ctx, world, state, plan.Layout)
	if err != nil {
		return nil, err
	}
	plan.Findings = append(plan.Findings, unknown...)
	return plan, c.complete(ctx, world, plan)
}

// Rollback plans the way back to the layout from before the last apply; see zones.Rollback.
func (c *Catalog) Rollback(ctx context.Context, world *topology.Topology, rate topology.ByteRate) (*zones.Plan, error) {
	state, err := c.ReadDeclared(ctx, world)
	if err != nil {
		return nil, err
	}
	plan, err := zones.Rollback(ctx, c.Journal(), world, state, rate, time.Now())
	if err != nil {
		return nil, err
	}
	return plan, c.complete(ctx, world, plan)
}

// lastApplied is nil too where the user may not read the journal: then drift cannot be told from intent, and the plan says which privilege that takes.
func (c *Catalog) lastApplied(ctx context.Context) (*zones.Layout, error) {
	applied, err := NewJournal(c.client).LastApplied(ctx)
	if refused(err) {
		return nil, nil
	}
	return applied, c.fail("read the journal", "find", zones.JournalDatabase+"."+journalCollection, err)
}

// complete measures what a plan moves and names missing privileges.
func (c *Catalog) complete(ctx context.Context, world *topology.Topology, plan *zones.Plan) error {
	unfinished, err := c.Journal().Unfinished(ctx)
	if err != nil && !refused(err) {
		return err
	}
	plan.Findings = append(plan.Findings, zones.InterruptedFindings(unfinished)...)
	if len(plan.Forecast.Moves) > 0 {
		if err := c.Measure(ctx, &plan.Forecast, MeasureOptions{}); err != nil && !refused(err) {
			return err
		}
	}
	may, err := c.Privileges(ctx)
	if err != nil && !refused(err) {
		return err
	}
	role := zones.PlanRole(plan.Namespaces)
	if missing := may.Missing(role.Privileges); len(missing) > 0 {
		plan.Findings = append(plan.Findings, zones.MissingPrivilegesFinding(role, missing))
		return nil
	}
	role = zones.ApplyRole(plan.Namespaces)
	if missing := may.Missing(role.Privileges); len(missing) > 0 && !plan.Empty() {
		finding := zones.MissingPrivilegesFinding(role, missing)
		finding.Severity = zones.SeverityWarning // somebody else may apply it
		plan.Findings = append(plan.Findings, finding)
	}
	return nil
}

// unknownValues looks for documents of sharded collections that belong to no zone. Where the topology gives them to a zone there are none, and what the user
// may not look at is left out.
func (c *Catalog) unknownValues(ctx context.Context, world *topology.Topology, state *zones.State, layout zones.Layout) ([]zones.Finding, error) {
	var all []zones.Finding
	for _, p := range layout.Collections {
		found, _ := state.Collection(p.Collection)
		ns, declared := world.NamespaceOf(p.Collection)
		if !declared || !found.Sharded || ns.Unknown == topology.UnknownToZone || len(p.Key) == 0 || p.Key[0].Name != ns.ZoneBy {
			continue
		}
		values, _, err := c.UnknownValues(ctx, p.Collection, ns.ZoneBy, p)
		if refused(err) || errors.Is(err, ErrNoCollection) { // it may have been dropped meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		var documents int64
		var examples []string
		for _, v := range values {
			documents += v.Documents
			examples = append(examples, v.String())
		}
		if documents > 0 {
			all = append(all, zones.UnknownValuesFinding(ns, p.Collection, documents, examples))
		}
	}
	return all, nil
}
