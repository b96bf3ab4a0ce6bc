package replica

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
)

// A Formation starts members and makes them a sharded cluster, or part of the one that others are. Each step runs by itself and waits for nothing but what it needs.
type Formation[M Member] struct {
	// Old members belong to the cluster already, Fresh ones shall.
	Old, Fresh []M
	// Launch starts a member's process and returns when it takes connections; it leaves one that runs as it is.
	Launch func(context.Context, M) error
	// Ended says why a member's process has ended, and is nil while it lives.
	Ended func(context.Context, M) error
	// Admit makes the first user of a new set, whose primary it is given. nil = there are no users.
	Admit           func(context.Context, M) error
	ElectionTimeout time.Duration
	// Report hears what has been reached.
	Report func(format string, a ...any)

	running map[string]milestone // by member
	primary map[string]milestone // by replica set
	routing milestone            // a query router answers
	first   sync.Once            // reaches routing
	adding  sync.Mutex           // the config server adds one shard at a time
}

// A milestone is something that other steps wait for.
type milestone chan struct{}

func (m milestone) wait(ctx context.Context) error {
	select {
	case <-m:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Run returns when every fresh member does its work, and every new set has its primary at home. One that failed or was interrupted may be repeated.
func (f *Formation[M]) Run(ctx context.Context) error {
	present, sets := bySet(f.Old), bySet(f.Fresh)
	f.running, f.primary, f.routing = map[string]milestone{}, map[string]milestone{}, make(milestone)
	for _, m := range f.Fresh {
		f.running[m.Node().Name] = make(milestone)
	}
	for set := range sets {
		f.primary[set] = make(milestone)
	}
	for set := range present {
		if f.primary[set] == nil { // it gets nobody
			f.primary[set] = make(milestone)
			close(f.primary[set])
		}
	}
	if len(f.Old) > 0 {
		f.first.Do(func() { close(f.routing) })
	}
	steps, stepping := errgroup.WithContext(ctx)
	steps.Go(func() error { return f.startServers(stepping, steps) })
	for set, members := range sets {
		steps.Go(func() error {
			if len(present[set]) > 0 {
				return f.joinSet(stepping, set, present[set], members)
			}
			return f.formSet(stepping, set, members)
		})
	}
	for _, m := range f.Fresh {
		if m.Node().Kind == layout.Router {
			steps.Go(func() error { return f.startRouter(stepping, m) })
		}
	}
	if err := steps.Wait(); err != nil {
		return err
	}
	return f.awaitWork(ctx)
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

// startingAtOnce limits how many servers start up at the same moment. Starting one is work for the processor: more at
// once do not end sooner, but end together, and then nothing is left to do while the elections wait.
func startingAtOnce() int { return runtime.GOMAXPROCS(0) + 1 }

// startServers starts everything but the query routers.
func (f *Formation[M]) startServers(ctx context.Context, steps *errgroup.Group) error {
	slots := make(chan struct{}, startingAtOnce())
	for _, m := range f.order() {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		steps.Go(func() error {
			defer func() { <-slots }()
			if err := f.Launch(ctx, m); err != nil {
				return err
			}
			f.Report("%s listens", m.Node().Name)
			close(f.running[m.Node().Name])
			return nil
		})
	}
	return nil
}

// order is one in which the rest can begin early: the config servers, because everybody waits for them, what the first query router needs, because shards are added through
// it, then set by set, so that the first sets elect while the last ones start.
func (f *Formation[M]) order() []M {
	servers := slices.DeleteFunc(slices.Clone(f.Fresh), func(m M) bool { return m.Node().Kind == layout.Router })
	var firstCore string
	for _, m := range servers {
		if m.Node().Kind == layout.Core && firstCore == "" {
			firstCore = m.Node().Name
		}
	}
	rank := func(n layout.Node) int {
		switch {
		case n.Kind == layout.Config:
			return 0
		case n.Name == firstCore:
			return 1
		case n.Kind == layout.Core:
			return 3
		default:
			return 2
		}
	}
	slices.SortStableFunc(servers, func(a, b M) int { return rank(a.Node()) - rank(b.Node()) })
	return servers
}

// formSet initiates a replica set from its home member, waits until that one is primary, and makes a shard of the set.
func (f *Formation[M]) formSet(ctx context.Context, set string, members []M) error {
	hosts := map[string]string{}
	var nodes []layout.Node
	var home M
	for _, m := range members {
		n := m.Node()
		// replSetInitiate asks every member before it starts, so all of them have to listen.
		if err := f.running[n.Name].wait(ctx); err != nil {
			return err
		}
		hosts[n.Name] = m.Advertised()
		nodes = append(nodes, n)
		if n.Home {
			home = m
		}
	}
	config := layout.SetConfig(set, nodes, hosts, f.ElectionTimeout)
	// On a busy machine the first connection, with its login, may take longer than a command has.
	if err := Persist(ctx, home, bson.D{{Key: "replSetInitiate", Value: config}}, f.Ended); err != nil && !initiated(err) {
		return err
	}
	// After one election timeout, since a set that was just initiated has heard of no primary. To ask the member to step up would save that time by a command that MongoDB
	// does not document.
	if err := f.await(ctx, home, "become primary", func(h Hello) bool { return h.Primary }); err != nil {
		return err
	}
	f.Report("primary of %s is at home in %s", set, home.Node().DC)
	if f.Admit != nil {
		if err := f.Admit(ctx, home); err != nil {
			return err
		}
	}
	if set == cluster.ConfigSet {
		if err := f.persist(ctx, home, majorityByDefault()); err != nil {
			return err
		}
		close(f.primary[set])
		return nil
	}
	close(f.primary[set])
	return f.addShard(ctx, set, members)
}

// joinSet makes members part of a set that works.
func (f *Formation[M]) joinSet(ctx context.Context, set string, present, joining []M) error {
	for _, m := range joining {
		if err := f.running[m.Node().Name].wait(ctx); err != nil {
			return err
		}
	}
	if err := f.join(ctx, present, joining); err != nil {
		return err
	}
	for _, m := range joining {
		f.Report("%s is a member of %s", m.Node().Name, set)
	}
	close(f.primary[set])
	return nil
}

func (f *Formation[M]) startRouter(ctx context.Context, m M) error {
	if err := f.primary[cluster.ConfigSet].wait(ctx); err != nil {
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
	if err := f.await(ctx, m, "route", Hello.Routes); err != nil {
		return err
	}
	f.Report("query router answers in %s", m.Node().DC)
	f.first.Do(func() { close(f.routing) })
	return nil
}

// mostElections is how often a set that is added may change its primary meanwhile.
const mostElections = 3

// addShard adds a shard through whichever query router answers first.
func (f *Formation[M]) addShard(ctx context.Context, set string, members []M) error {
	if err := f.routing.wait(ctx); err != nil {
		return err
	}
	f.adding.Lock()
	defer f.adding.Unlock()
	for _, m := range slices.Concat(f.Old, f.Fresh) {
		if m.Node().Kind != layout.Router || !m.Running() {
			continue
		}
		if h, err := Greet(ctx, m); err != nil || !h.Routes() {
			continue
		}
		command := bson.D{{Key: "addShard", Value: set + "/" + Hosts(members, set)}, {Key: "name", Value: set}}
		err := f.persist(ctx, m, command)
		for range mostElections {
			if !wrapped(err) {
				break
			}
			for _, home := range members {
				if n := home.Node(); n.Set == set && n.Home {
					if err := f.await(ctx, home, "be primary again", func(h Hello) bool { return h.Primary }); err != nil {
						return err
					}
				}
			}
			err = f.persist(ctx, m, command)
		}
		if err == nil {
			f.Report("shard %s is added", set)
		}
		return err
	}
	return fmt.Errorf("add shard %s: no query router answers any more", set)
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
			works = func(h Hello) bool { return h.Primary }
		}
		if err := f.await(ctx, m, "do its work", works); err != nil {
			return err
		}
	}
	return nil
}

// await waits for a member to be in a state; that its process ends meanwhile is an error which says why.
func (f *Formation[M]) await(ctx context.Context, m M, what string, wanted func(Hello) bool) error {
	return AwaitHello(ctx, m, what, wanted, f.Ended)
}

// persist repeats an idempotent command while a set that has just been formed changes its mind about its primary.
func (f *Formation[M]) persist(ctx context.Context, m M, command bson.D) error {
	return Persist(ctx, m, command, f.Ended)
}
