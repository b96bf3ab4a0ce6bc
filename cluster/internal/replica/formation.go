package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/internal/passing"
)

// A Formation starts members and makes them a sharded cluster, or part of the one that others are. Each step runs by itself and waits for nothing but what it needs.
type Formation[M Member] struct {
	// Old members belong to the cluster already, Fresh ones shall.
	Old, Fresh []M
	// Launch starts a member's process and returns when it takes connections; it leaves one that runs as it is.
	Launch func(context.Context, M) error
	// Admit makes the first user of a new set, whose primary it is given. nil = there are no users.
	Admit           func(context.Context, M) error
	ElectionTimeout time.Duration
	// Report hears what has been reached.
	Report func(format string, a ...any)

	running    map[string]milestone // by member
	configured milestone            // the config servers have their primary, and all their members
	routing    milestone            // a query router answers
	first      sync.Once            // reaches routing
	adding     sync.Mutex           // the config server adds one shard at a time
}

// A milestone is something that other steps wait for.
type milestone chan struct{}

func (m milestone) wait(ctx context.Context) error {
	select {
	case <-m:
		return nil
	case <-ctx.Done():
		return &stepError{context.Cause(ctx)}
	}
}

// A stepError ends a step that only waited for another one, which has more to tell.
type stepError struct{ error }

func (e *stepError) Unwrap() error { return e.error }

// Run returns when every fresh member does its work, and every new set has its primary at home. One that failed or was interrupted may be repeated.
func (f *Formation[M]) Run(ctx context.Context) error {
	present, sets := bySet(f.Old), bySet(f.Fresh)
	f.running, f.configured, f.routing = map[string]milestone{}, make(milestone), make(milestone)
	for _, m := range f.Fresh {
		f.running[m.Node().Name] = make(milestone)
	}
	if sets[cluster.ConfigSet] == nil { // it gets nobody
		close(f.configured)
	}
	if len(f.Old) > 0 {
		f.first.Do(func() { close(f.routing) })
	}
	steps, stepping := errgroup.WithContext(ctx)
	told := make(chan error, 1+len(sets)+len(f.Fresh)) // what the steps end with
	step := func(do func() error) {
		steps.Go(func() error {
			err := do()
			told <- err
			return err
		})
	}
	step(func() error { return f.startServers(stepping) })
	for set, members := range sets {
		step(func() error {
			if len(present[set]) > 0 {
				return f.joinSet(stepping, set, present[set], members)
			}
			return f.formSet(stepping, set, members)
		})
	}
	for _, m := range f.Fresh {
		if m.Node().Kind == layout.Router {
			step(func() error { return f.startRouter(stepping, m) })
		}
	}
	err := steps.Wait()
	close(told)
	switch {
	case err == nil:
		return f.awaitWork(ctx)
	case ctx.Err() == nil:
		return err // the others were ended by this one
	}
	return cmp.Or(waitedFor(told), err)
}

// waitedFor joins what the steps that the others waited for were told last.
func waitedFor(told <-chan error) error {
	var all []error
	for err := range told {
		if !errors.As(err, new(*stepError)) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// bySet sorts members by their replica set. Routers have none, and a devmongos initiates its core itself.
func bySet[M Member](members []M) map[string][]M {
	sets := map[string][]M{}
	for _, m := range members {
		if n := m.Node(); n.Set != "" && n.Kind != layout.Core {
			sets[n.Set] = append(sets[n.Set], m)
		}
	}
	return sets
}

// startServers starts everything but the query routers.
func (f *Formation[M]) startServers(ctx context.Context) error {
	servers, ctx := errgroup.WithContext(ctx)
	// Starting a server is work for the processor: more at once do not end sooner, but end together, and then nothing is left to do while the elections wait.
	servers.SetLimit(runtime.GOMAXPROCS(0) + 1)
	for _, m := range f.order() {
		servers.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := f.Launch(ctx, m); err != nil {
				return err
			}
			f.Report("%s listens", m.Node().Name)
			close(f.running[m.Node().Name])
			return nil
		})
	}
	return servers.Wait()
}

// order is one in which the rest can begin early: the config servers, because everybody waits for them, what the first query router needs, because shards are added through
// it, then set by set, so that the first sets elect while the last ones start.
func (f *Formation[M]) order() []M {
	var config, firstCore, sets, cores []M
	for _, m := range f.Fresh {
		switch kind := m.Node().Kind; {
		case kind == layout.Router:
		case kind == layout.Config:
			config = append(config, m)
		case kind == layout.Core && firstCore == nil:
			firstCore = []M{m}
		case kind == layout.Core:
			cores = append(cores, m)
		default:
			sets = append(sets, m)
		}
	}
	return slices.Concat(config, firstCore, sets, cores)
}

// formSet initiates a replica set from its home member, waits until that one is primary, and makes a shard of the set.
func (f *Formation[M]) formSet(ctx context.Context, set string, members []M) error {
	// replSetInitiate asks every member before it starts, so all of them have to listen.
	if err := f.awaitRunning(ctx, members); err != nil {
		return err
	}
	var list []layout.SetMember
	for i, m := range members {
		list = append(list, m.Node().SetMember(i, m.Advertised()))
	}
	home, config := homeOf(members), layout.NewSetConfig(set, list, f.ElectionTimeout)
	// On a busy machine the first connection, with its login, may take longer than a command has. An earlier attempt may have been carried out without being heard.
	if err := Persist(ctx, home, bson.D{{Key: "replSetInitiate", Value: config}}); err != nil && !passing.HasCode(err, codeAlreadyInitialized) {
		return err
	}
	// After one election timeout, since a set that was just initiated has heard of no primary. To ask the member to step up would save that time by a command that MongoDB
	// does not document.
	if err := AwaitHello(ctx, home, "become primary", Hello.leads); err != nil {
		return err
	}
	f.Report("primary of %s is at home in %s", set, home.Node().DC)
	if f.Admit != nil {
		if err := f.Admit(ctx, home); err != nil {
			return err
		}
	}
	if set != cluster.ConfigSet {
		return f.addShard(ctx, set, members)
	}
	// Where the cluster's default write concern is not stated, addShard refuses shards whose own default would be w: 1, as sets with arbiters have it.
	majority := bson.M{"w": "majority"}
	err := Persist(ctx, home, bson.D{{Key: "setDefaultRWConcern", Value: 1}, {Key: "defaultWriteConcern", Value: majority}, {Key: "writeConcern", Value: majority}})
	if err != nil {
		return err
	}
	close(f.configured)
	return nil
}

// awaitRunning waits until all of these members run.
func (f *Formation[M]) awaitRunning(ctx context.Context, members []M) error {
	for _, m := range members {
		if err := f.running[m.Node().Name].wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// homeOf is the member of a set that is to be its primary.
func homeOf[M Member](members []M) M {
	return members[slices.IndexFunc(members, func(m M) bool { return m.Node().Home })]
}

func (f *Formation[M]) startRouter(ctx context.Context, m M) error {
	if err := f.configured.wait(ctx); err != nil {
		return err
	}
	if core, ok := f.running[layout.MemberName(cluster.RouterCore, m.Node().DC)]; ok {
		if err := core.wait(ctx); err != nil {
			return err
		}
	}
	if err := f.Launch(ctx, m); err != nil {
		return err
	}
	if err := AwaitHello(ctx, m, "route", Hello.Routes); err != nil {
		return err
	}
	f.Report("query router answers in %s", m.Node().DC)
	f.first.Do(func() { close(f.routing) })
	return nil
}

const (
	codeAlreadyInitialized = 23
	// codeOperationFailed is that of config servers which failed in what they asked of a shard, such as of one that changed its primary at that moment: they do
	// not pass its own code on.
	codeOperationFailed = 96

	// mostElections is how often a set that is added may change its primary meanwhile.
	mostElections = 3
)

// addShard adds a shard through whichever query router answers first.
func (f *Formation[M]) addShard(ctx context.Context, set string, members []M) error {
	if err := f.routing.wait(ctx); err != nil {
		return err
	}
	f.adding.Lock()
	defer f.adding.Unlock()
	router, err := firstThat(ctx, slices.Concat(f.Old, f.Fresh), Hello.Routes, layout.Router)
	if err != nil {
		return fmt.Errorf("add shard %s: look for a query router: %w", set, err)
	}
	command := bson.D{{Key: "addShard", Value: named(members, set)}, {Key: "name", Value: set}}
	elections := 0
	err = Await(ctx, LookEvery, "run addShard on "+router.Node().Name, func(last *error) (bool, error) {
		if err := f.awaitNoneAdded(ctx); err != nil {
			return false, err
		}
		*last = router.Run(ctx, command, nil)
		switch {
		case Passing(*last):
			return false, router.Ended(ctx)
		case passing.HasCode(*last, codeOperationFailed) && elections < mostElections:
			elections++
			return false, AwaitHello(ctx, homeOf(members), "be primary again", Hello.leads)
		default:
			return true, *last
		}
	})
	if err == nil {
		f.Report("shard %s is added", set)
	}
	return err
}

// awaitNoneAdded waits until no config server has an addShard under way. One that was sent before, by an earlier start too, may go on after its answer got lost; a second one beside it
// has aborted a config server that had just been elected.
func (f *Formation[M]) awaitNoneAdded(ctx context.Context) error {
	for _, m := range slices.Concat(f.Old, f.Fresh) {
		if m.Node().Kind != layout.Config {
			continue
		}
		err := Await(ctx, LookEvery, "wait for the end of addShard on "+m.Node().Name, func(last *error) (adding bool, _ error) {
			if !m.Running() {
				return true, nil
			}
			if adding, *last = addsShard(ctx, m); *last != nil {
				return m.Ended(ctx) != nil, nil
			}
			return !adding, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addsShard tells whether a config server carries an addShard out: its own command for that has a name that ends so.
func addsShard(ctx context.Context, m Member) (bool, error) {
	type operation struct {
		Command bson.D `bson:"command"`
	}
	var answer struct {
		Cursor struct {
			FirstBatch []operation `bson:"firstBatch"`
		} `bson:"cursor"`
	}
	err := m.Run(ctx, bson.D{{Key: "aggregate", Value: 1}, {Key: "cursor", Value: bson.M{"batchSize": 10_000}}, {Key: "pipeline", Value: bson.A{
		bson.M{"$currentOp": bson.M{"allUsers": true}}, bson.M{"$project": bson.M{"command": 1}},
	}}}, &answer)
	return slices.ContainsFunc(answer.Cursor.FirstBatch, func(o operation) bool {
		return len(o.Command) > 0 && strings.HasSuffix(strings.ToLower(o.Command[0].Key), "addshard")
	}), err
}

// awaitWork waits until all do their work: on a busy machine a set may have changed its mind about its primary since it was formed.
func (f *Formation[M]) awaitWork(ctx context.Context) error {
	for _, m := range f.Fresh {
		n := m.Node()
		if n.Kind == layout.Core {
			continue // its router answers
		}
		works := Hello.Works
		if n.Home {
			works = Hello.leads
		}
		if err := AwaitHello(ctx, m, "do its work", works); err != nil {
			return err
		}
	}
	return nil
}
