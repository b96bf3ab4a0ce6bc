package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	// HostMap says where the members that call themselves "host:port" can be reached. Hosts that are not in it are taken as they are; Report.UnusedHosts
	// are those that no member calls itself. With TLS a member has to show a certificate of its own name, not of the address.
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
// With ErrUnreachable the report is returned too, and says what was proved about the other members; so it is when a namespace cannot be looked at. Other errors
// are topology.ErrNoQueryRouter, topology.ErrUndeclared, and those of the driver.
func Verify(ctx context.Context, router *mongo.Client, world *topology.Topology, o Options) (*Report, error) {
	if o.Examples == 0 {
		o.Examples = DefaultExamples
	}
	v := &verifier{router: router, world: world, options: o, mapped: map[string]bool{}, report: &Report{Taken: time.Now().UTC().Truncate(time.Millisecond), ViaRouter: o.ViaRouter, Sample: o.Sample}}
	targets, err := v.targets(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	shards, err := v.listShards(ctx)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	count, how := (*inspection).onMembers, ""
	var unreachable error
	if o.ViaRouter {
		count, how = (*inspection).throughRouter, " through the router"
	} else {
		v.members, unreachable = v.connect(ctx, shards)
		defer disconnect(v.members...)
		if len(v.members) == 0 {
			return nil, fmt.Errorf("verify: %w", unreachable)
		}
	}
	v.preflight(ctx, shards)
	v.lost = unreachable != nil
	problems := []error{unreachable}
	if err := v.kept(ctx, shards); ctx.Err() != nil {
		return nil, fmt.Errorf("verify: %w", err)
	} else if err != nil {
		problems = append(problems, fmt.Errorf("look for what drained shards still have: %w", err))
		v.notChecked("what drained shards still have: %v", err)
	}
	for _, t := range targets {
		i := v.inspect(t)
		if kind := i.kind(ctx); kind != "" {
			v.notChecked("%s: it is a %s", t.name, kind)
			continue
		}
		err := count(i, ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("verify %s%s: %w", t.name, how, err)
		}
		if err != nil { // the others can be proved all the same
			problems = append(problems, fmt.Errorf("%s%s: %w", t.name, how, err))
			v.notChecked("%s: %s", t.name, strings.ReplaceAll(err.Error(), "\n", "; "))
			if len(i.found.Members) == 0 {
				continue
			}
		}
		slices.SortFunc(i.found.Examples, Example.compare)
		v.report.Namespaces = append(v.report.Namespaces, i.found)
	}
	if !o.ViaRouter {
		v.report.Residency = residency(world, v.report.Namespaces)
	}
	v.limits()
	if err := errors.Join(problems...); err != nil {
		v.report.Incomplete = true
		return v.report, fmt.Errorf("verify: %w", err)
	}
	return v.report, nil
}

// A verifier is one run of Verify.
type verifier struct {
	router  *mongo.Client
	world   *topology.Topology
	options Options
	report  *Report
	members []*member // sorted by shard, secondaries first; none through the router
	// mapped are the hosts of the host map that were met.
	mapped map[string]bool
	// version is the query router's, which preflight asks for; empty where it did not tell.
	version string
	// lost: there are members that do not answer, so that the router may wait for them without end.
	lost bool
	// silent: the router did not answer in time. Where the same shard is asked it will not the next time either.
	silent bool
}

// limits says what the options kept from being checked.
func (v *verifier) limits() {
	o := v.options
	if o.ViaRouter {
		v.notChecked("orphans: the router does not show them")
		v.notChecked("secondaries: each shard was asked through the member that the router chose")
		v.notChecked("residency: which members hold documents, and in which datacenters they are, is known to the members alone")
		if o.Sample > 0 || o.Throttle > 0 {
			v.notChecked("sample and throttle have no effect through the router: everything was counted at full speed")
		}
		return
	}
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

// An inspection looks at one collection.
type inspection struct {
	*verifier
	target
	found Namespace
	// owned and owners are answers about the ownership of documents that the router has given: by class, and by key.
	owned  map[string]byShard
	owners map[string]topology.ShardID
	// unanswered is what the router did not answer about the collection in time.
	unanswered error
}

func (v *verifier) inspect(t target) *inspection {
	i := &inspection{verifier: v, target: t, found: Namespace{Name: t.name}, owned: map[string]byShard{}, owners: map[string]topology.ShardID{}}
	if t.key != nil {
		i.found.Key = keyOf(t.key).String()
	}
	return i
}

// onMembers counts the collection on every member. One that fails keeps none of the others from being counted.
func (i *inspection) onMembers(ctx context.Context) error {
	var problems []error
	failed := func(err error, format string, args ...any) {
		known := slices.ContainsFunc(problems, func(p error) bool { return errors.Is(p, err) }) // the router's silence is the same for all
		if err != nil && !known {
			problems = append(problems, fmt.Errorf(format+": %w", append(args, err)...))
		}
	}
	for _, m := range i.members {
		found, err := againIfKilled(func() (scan, error) { return i.scan(ctx, m) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			i.lost = true
			failed(refusedRead(err), "count on %s (%s)", m.host, m.shard)
			continue
		}
		row, err := i.judge(ctx, m, found)
		failed(refusedRead(err), "look at %s (%s)", m.host, m.shard)
		i.found.Members = append(i.found.Members, row)
		if i.options.Progress != nil {
			i.options.Progress(Event{i.name, row})
		}
	}
	if i.options.Sample == 0 && i.options.Throttle == 0 {
		unowned, err := i.countUnowned(ctx)
		if failed(err, "count orphans"); err == nil {
			i.found.Leftovers = leftovers(i.found.Members, unowned)
		}
	}
	slices.SortFunc(i.found.Unknown, UnknownValue.compare)
	return errors.Join(problems...)
}

// judge makes a row of what was counted on a member, and adds examples. With an error the row has what is known all the same.
func (i *inspection) judge(ctx context.Context, m *member, found scan) (Member, error) {
	row := Member{Shard: m.shard, Host: m.host, Datacenter: m.dc, Role: m.role, Hidden: m.hidden, Complete: found.complete, Zones: map[topology.ZoneID]int64{}}
	for class, count := range found.classes {
		row.add(i.rule, class, count)
	}
	var problem error
	if row.Unknown > 0 {
		var values []UnknownValue
		values, problem = i.unknownValues(ctx, m)
		i.found.addUnknown(values)
	}
	judge := func() error { return i.judgeAll(ctx, m, found.classes, &row) }
	if !found.complete {
		judge = func() error { return i.judgeSample(ctx, m, found.sample, &row) }
	}
	if err := judge(); err != nil {
		problem = err
	}
	return row, problem
}

// judgeAll tells misplaced documents from orphans by their counts, and names some of them.
func (i *inspection) judgeAll(ctx context.Context, m *member, classes map[string]int64, row *Member) (problem error) {
	for class, count := range classes {
		if !i.rule.outside(class, m.shard) {
			continue
		}
		owned, err := i.countOwned(ctx, class)
		if err != nil {
			row.Outside += count
			problem = err
			continue
		}
		misplaced := min(owned[m.shard], count)
		row.Misplaced += misplaced
		row.Orphans += count - misplaced
		if err := i.examples(ctx, m, class); err != nil {
			problem = err
		}
	}
	return problem
}

// examples asks for the owners of some documents of a class, many more than are shown, to find examples of both kinds.
func (i *inspection) examples(ctx context.Context, m *member, class string) error {
	pool, err := i.documents(ctx, m, class, 20*i.options.Examples)
	if err != nil {
		return err
	}
	for _, doc := range pool {
		if _, err := i.example(ctx, m, class, doc); err != nil {
			return err
		}
	}
	return nil
}

// judgeSample asks for the owner of each document of a sample that is outside its zone.
func (i *inspection) judgeSample(ctx context.Context, m *member, sample []sampled, row *Member) (problem error) {
	for _, s := range sample {
		if !i.rule.outside(s.class, m.shard) {
			continue
		}
		kind, err := i.example(ctx, m, s.class, s.document)
		switch {
		case err != nil:
			row.Outside++
			problem = err
		case kind == Misplaced:
			row.Misplaced++
		default:
			row.Orphans++
		}
	}
	bound := upperBound(row.Misplaced+row.Orphans+row.Outside, row.Documents)
	row.OutsideAtMost = &bound
	return problem
}

// example adds a document that is outside its zone to the examples. The router, which is no member of a shard, shows each on the shard that owns it, be it in
// its zone or not.
func (i *inspection) example(ctx context.Context, m *member, class string, doc document) (Kind, error) {
	owner, err := i.ownerOf(ctx, doc.Key)
	if err != nil {
		return KindUnknown, err
	}
	e := Example{Kind: Orphan, Shard: cmp.Or(m.shard, owner), Owner: owner, ID: doc.ID.String(), Key: doc.Key.String()}
	if !i.rule.outside(class, e.Shard) {
		return KindUnknown, nil
	}
	if m.host != "" {
		e.Members = []string{m.host}
	}
	if owner == e.Shard {
		e.Kind = Misplaced
	}
	if zone, ok := i.rule.zone(class); ok {
		e.Zone = zone.ID
	}
	i.found.addExample(e, i.options.Examples)
	return e.Kind, nil
}
