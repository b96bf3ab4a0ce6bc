package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/topology"
)

// Options say how to look. The zero value counts every document on every member, as fast as the members can.
type Options struct {
	// Namespaces limits the proof to these namespaces of the topology, patterns as the topology writes them. Empty = all.
	Namespaces []string
	// Sample looks at that many random documents of a namespace on each member that has more. 0 = all documents.
	Sample int
	// Throttle is how many documents per second are read from one member. 0 = unlimited. It has no effect on samples, nor on what it takes to tell
	// misplaced documents from orphans once there are any outside their zone: each shard looks for those of that zone at full speed.
	Throttle int
	// SparePrimaries looks at the secondaries alone, where a shard has any.
	SparePrimaries bool
	// Examples is how many documents each namespace names for each shard and kind of mistake. 0 = DefaultExamples.
	Examples int
	// ShardClient is how members of shards are connected to: credentials (users of a cluster are not those of its shards), TLS, a dialer.
	// Hosts and the kind of connection are set for each member. nil = no credentials, no TLS.
	ShardClient *options.ClientOptions
	// HostMap says where the members that call themselves "host:port" can be reached. Hosts that are not in it are taken as they are.
	HostMap map[string]string
	// ViaRouter connects to no member. Only what the router shows is checked; the report says what was not.
	ViaRouter bool
	// Progress hears what has been looked at. nil = nobody. It must not block.
	Progress func(Event)
}

// DefaultExamples is how many documents are named where Options say nothing.
const DefaultExamples = 10

// An Event says that one member's documents of a namespace have been counted.
type Event struct {
	Namespace string
	Member    Member
}

// Verify looks at the documents of the topology's namespaces behind a query router. A violation is not an error: see Report.Clean.
//
// With ErrUnreachable the report is returned too, and says what was proved about the other members. Other errors are topology.ErrNoQueryRouter,
// topology.ErrUndeclared, and those of the driver.
func Verify(ctx context.Context, router *mongo.Client, world *topology.Topology, o Options) (*Report, error) {
	if o.Examples == 0 {
		o.Examples = DefaultExamples
	}
	v := &verifier{router: router, world: world, options: o, report: &Report{Taken: time.Now().UTC().Truncate(time.Millisecond), ViaRouter: o.ViaRouter, Sample: o.Sample}}
	targets, err := v.targets(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	shards, err := v.listShards(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if o.ViaRouter {
		return v.viaRouter(ctx, targets)
	}
	members, unreachable := v.connect(ctx, shards)
	defer disconnect(members)
	if len(members) == 0 {
		return nil, fmt.Errorf("verify: %w", unreachable)
	}
	for _, t := range targets {
		n, err := v.namespace(ctx, t, members)
		if err != nil {
			return nil, fmt.Errorf("verify %s: %w", t.name, err)
		}
		v.report.Namespaces = append(v.report.Namespaces, n)
	}
	v.report.Residency = residency(world, v.report.Namespaces)
	v.limits()
	if unreachable != nil {
		return v.report, fmt.Errorf("verify: %w", unreachable)
	}
	return v.report, nil
}

// A verifier is one run of Verify.
type verifier struct {
	router  *mongo.Client
	world   *topology.Topology
	options Options
	report  *Report
}

// limits says what the options kept from being checked.
func (v *verifier) limits() {
	o := v.options
	if o.Sample > 0 {
		v.notChecked("documents outside the samples; residency is proved for the members where samples found documents")
	}
	if o.Sample > 0 || o.Throttle > 0 {
		v.notChecked("orphans on shards of their own zone, which take an unthrottled count")
	}
	if o.SparePrimaries {
		v.notChecked("primaries of shards that have secondaries")
	}
}

func (v *verifier) notChecked(format string, args ...any) {
	v.report.NotChecked = append(v.report.NotChecked, fmt.Sprintf(format, args...))
}

// namespace counts one collection on every member.
func (v *verifier) namespace(ctx context.Context, t target, members []*member) (Namespace, error) {
	n := Namespace{Name: t.name, Key: t.keyText()}
	own := newOwnership(v.router, t)
	for _, m := range members {
		found, err := m.scan(ctx, t, v.options)
		if err != nil {
			return n, fmt.Errorf("count on %s (%s): %w", m.host, m.shard, err)
		}
		row, err := v.judge(ctx, t, own, m, found, &n)
		if err != nil {
			return n, fmt.Errorf("look at %s (%s): %w", m.host, m.shard, err)
		}
		n.Members = append(n.Members, row)
		if v.options.Progress != nil {
			v.options.Progress(Event{t.name, row})
		}
	}
	if v.options.Sample == 0 && v.options.Throttle == 0 {
		unowned, err := own.unowned(ctx)
		if err != nil {
			return n, err
		}
		n.Leftovers = leftovers(n.Members, unowned)
	}
	slices.SortFunc(n.Examples, Example.compare)
	sortUnknown(n.Unknown)
	return n, nil
}

// judge makes a row of what was counted on a member, and adds examples.
func (v *verifier) judge(ctx context.Context, t target, own *ownership, m *member, found scan, n *Namespace) (Member, error) {
	row := Member{Shard: m.shard, Host: m.host, Datacenter: m.dc, Role: m.role, Documents: found.documents, Complete: found.complete, Zones: map[topology.ZoneID]int64{}}
	for class, count := range found.classes {
		if zone, ok := t.rule.zone(class); ok {
			row.Zones[zone.ID] += count
		}
	}
	row.Unknown = found.classes[unknownClass]
	if row.Unknown > 0 {
		values, err := m.unknownValues(ctx, t)
		if err != nil {
			return row, err
		}
		n.addUnknown(values)
	}
	if !found.complete {
		return row, v.judgeSample(ctx, t, own, found, &row, n)
	}
	return row, v.judgeAll(ctx, t, own, m, found, &row, n)
}

// judgeAll tells misplaced documents from orphans by their counts, and names some of them.
func (v *verifier) judgeAll(ctx context.Context, t target, own *ownership, m *member, found scan, row *Member, n *Namespace) error {
	for class, count := range found.classes {
		if count == 0 || !t.rule.outside(class, m.shard) {
			continue
		}
		owned, err := own.owned(ctx, class)
		if err != nil {
			return err
		}
		misplaced := min(owned[m.shard], count)
		row.Misplaced += misplaced
		row.Orphans += count - misplaced
		if err := v.examples(ctx, t, own, m, class, n); err != nil {
			return err
		}
	}
	return nil
}

// poolOf is how many documents of one zone are asked for their owner, to find examples of both kinds.
func poolOf(examples int) int { return 20 * examples }

func (v *verifier) examples(ctx context.Context, t target, own *ownership, m *member, class string, n *Namespace) error {
	pool, err := m.documents(ctx, t, class, poolOf(v.options.Examples))
	if err != nil {
		return err
	}
	for _, doc := range pool {
		e, err := v.example(ctx, t, own, row(m), class, doc)
		if err != nil {
			return err
		}
		n.addExample(e, v.options.Examples)
	}
	return nil
}

// judgeSample asks for the owner of each document of a sample that is outside its zone.
func (v *verifier) judgeSample(ctx context.Context, t target, own *ownership, found scan, row *Member, n *Namespace) error {
	for _, s := range found.sample {
		if !t.rule.outside(s.Class, row.Shard) {
			continue
		}
		e, err := v.example(ctx, t, own, *row, s.Class, s.document)
		if err != nil {
			return err
		}
		if e.Kind == Misplaced {
			row.Misplaced++
		} else {
			row.Orphans++
		}
		n.addExample(e, v.options.Examples)
	}
	bound := upperBound(row.Misplaced+row.Orphans, found.documents)
	row.OutsideAtMost = &bound
	return nil
}

func row(m *member) Member { return Member{Shard: m.shard, Host: m.host} }

func (v *verifier) example(ctx context.Context, t target, own *ownership, m Member, class string, doc document) (Example, error) {
	owner, err := own.of(ctx, doc.Key)
	if err != nil {
		return Example{}, err
	}
	e := Example{Kind: Orphan, Shard: m.Shard, Owner: owner, ID: doc.ID.String(), Key: doc.Key.String()}
	if m.Host != "" {
		e.Members = []string{m.Host}
	}
	if owner == m.Shard {
		e.Kind = Misplaced
	}
	if zone, ok := t.rule.zone(class); ok {
		e.Zone = zone.ID
	}
	return e, nil
}
