package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// A milestone is something that other steps of the start wait for.
type milestone chan struct{}

func (m milestone) reach() { close(m) }

func (m milestone) wait(ctx context.Context) error {
	select {
	case <-m:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A start is the bookkeeping of what becomes part of the cluster: each step runs by itself and waits for nothing but what it needs.
type start struct {
	*Cluster
	fresh     []*process
	listening map[string]milestone // by process
	primary   map[string]milestone // by replica set
	routing   milestone            // a query router answers
	firstOnly sync.Once            // reaches routing
	adding    sync.Mutex           // the config server adds one shard at a time
}

func (c *Cluster) bringUp(ctx context.Context) error {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := c.assemble(ctx, nil, c.members()); err != nil {
		return fmt.Errorf("start cluster %s: %w", c.options.Name, err)
	}
	c.network.SetDelays(true)
	c.mu.Lock()
	c.ready = true
	c.mu.Unlock()
	c.report("ready")
	return c.saveState()
}

// assemble starts fresh processes and makes them part of the cluster, beside those that are it already.
func (c *Cluster) assemble(ctx context.Context, old, fresh []*process) error {
	s := &start{Cluster: c, fresh: fresh, listening: map[string]milestone{}, primary: map[string]milestone{}, routing: milestone(make(chan struct{}))}
	steps, stepping := errgroup.WithContext(ctx)
	present, sets := bySet(old), bySet(fresh)
	for _, p := range fresh {
		s.listening[p.Name] = make(chan struct{})
	}
	for set := range sets {
		s.primary[set] = make(chan struct{})
	}
	for set := range present {
		if s.primary[set] == nil { // it gets nobody
			s.primary[set] = make(chan struct{})
			s.primary[set].reach()
		}
	}
	if len(old) > 0 {
		s.firstOnly.Do(s.routing.reach)
	}
	s.startProcesses(stepping, steps)
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		switch {
		case len(present[set]) > 0:
			steps.Go(func() error { return s.joinSet(stepping, set, present[set], sets[set]) })
		case set == cluster.ConfigSet:
			steps.Go(func() error { return s.formSet(stepping, set, sets[set]) })
		default:
			steps.Go(func() error { return s.formSet(stepping, set, sets[set]) })
			steps.Go(func() error { return s.addShard(stepping, set) })
		}
		for _, p := range sets[set] {
			steps.Go(func() error { return s.awaitCopying(stepping, p) })
		}
	}
	if err := steps.Wait(); err != nil {
		return err
	}
	return awaitHome(ctx, fresh)
}

// bySet sorts processes by their replica set. Routers have none, and a devmongos initiates its core itself.
func bySet(processes []*process) map[string][]*process {
	sets := map[string][]*process{}
	for _, p := range processes {
		if p.Set != "" && p.Kind != kindCore {
			sets[p.Set] = append(sets[p.Set], p)
		}
	}
	return sets
}

// startingAtOnce limits how many servers start up at the same moment. Starting one is work for the processor: more at
// once do not end sooner, but end together, and then nothing is left to do while the elections wait.
func startingAtOnce() int { return runtime.GOMAXPROCS(0) + 1 }

// startProcesses starts the processes in an order in which the rest can begin early: the config servers, because
// everybody waits for them, then set by set, so that the first sets elect while the last ones start.
func (s *start) startProcesses(ctx context.Context, steps *errgroup.Group) {
	order := slices.Clone(s.fresh)
	first := slices.IndexFunc(s.processes, func(p *process) bool { return p.Kind == kindRouter })
	rank := func(p *process) int {
		switch {
		case p.Kind == kindConfig:
			return 0
		case p.DC == s.processes[first].DC && p.Kind == kindCore: // shards are added through the first router
			return 1
		case p.Kind == kindCore || p.Kind == kindRouter:
			return 3
		default:
			return 2
		}
	}
	slices.SortStableFunc(order, func(a, b *process) int { return rank(a) - rank(b) })
	slots := make(chan struct{}, startingAtOnce())
	steps.Go(func() error {
		for _, p := range order {
			if p.Kind == kindRouter {
				steps.Go(func() error { return s.startRouter(ctx, p) })
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			steps.Go(func() error {
				defer func() { <-slots }()
				if err := s.spawn(ctx, p); err != nil {
					return err
				}
				s.report("%s listens", p.Name)
				s.listening[p.Name].reach()
				return nil
			})
		}
		return nil
	})
}

// formSet initiates a replica set from its home member and waits until that one is primary.
func (s *start) formSet(ctx context.Context, set string, members []*process) error {
	hosts := map[string]string{}
	var nodes []node
	var home *process
	for _, p := range members {
		// replSetInitiate asks every member before it starts, so all of them have to listen.
		if err := s.listening[p.Name].wait(ctx); err != nil {
			return err
		}
		hosts[p.Name] = p.advertised()
		nodes = append(nodes, p.node)
		if p.Home {
			home = p
		}
	}
	config := layout.SetConfig(set, nodes, hosts, s.options.ElectionTimeout)
	if err := home.command(ctx, bson.D{{Key: "replSetInitiate", Value: config}}, nil); err != nil && !replica.Initiated(err) {
		return err
	}
	if err := home.becomePrimary(ctx); err != nil {
		return err
	}
	s.report("primary of %s is at home in %s", set, home.DC)
	if err := home.createAdmin(ctx); err != nil {
		return err
	}
	if set == cluster.ConfigSet {
		if err := home.persist(ctx, replica.MajorityByDefault()); err != nil {
			return err
		}
	}
	s.primary[set].reach()
	return nil
}

// joinSet makes processes members of a set that works.
func (s *start) joinSet(ctx context.Context, set string, present, joining []*process) error {
	var old, fresh []replica.Member
	for _, p := range present {
		old = append(old, p)
	}
	for _, p := range joining {
		if err := s.listening[p.Name].wait(ctx); err != nil {
			return err
		}
		fresh = append(fresh, p)
	}
	if err := replica.Join(ctx, old, fresh); err != nil {
		return err
	}
	for _, p := range joining {
		s.report("%s is a member of %s", p.Name, set)
	}
	s.primary[set].reach()
	return nil
}

// becomePrimary waits until the home member of a new set is elected: after one election timeout, since a set that was just initiated has
// heard of no primary. Asking it to step up would save that time by a command that MongoDB does not document.
func (p *process) becomePrimary(ctx context.Context) error {
	return poll(ctx, "wait for the primary of "+p.Set, func() (bool, error) {
		h, err := p.hello(ctx)
		return err == nil && h.Primary, unlessGone(p, err)
	})
}

// unlessGone makes an error final when the process has ended; otherwise the server may just not be ready.
func unlessGone(p *process, err error) error {
	if r := p.current(); err != nil && !r.alive() {
		return errors.Join(p.exitError(r), err)
	}
	return nil
}

func (s *start) startRouter(ctx context.Context, p *process) error {
	if err := s.primary[cluster.ConfigSet].wait(ctx); err != nil {
		return err
	}
	if core, ok := s.listening[memberName(cluster.RouterCore, p.DC)]; ok {
		if err := core.wait(ctx); err != nil {
			return err
		}
	}
	if err := s.spawn(ctx, p); err != nil {
		return err
	}
	if err := s.awaitRouting(ctx, p); err != nil {
		return err
	}
	s.report("query router (%s) answers in %s", s.state.QueryRouter.Kind, p.DC)
	s.firstOnly.Do(s.routing.reach)
	return nil
}

func (c *Cluster) awaitRouting(ctx context.Context, p *process) error {
	return poll(ctx, "wait for the query router of "+string(p.DC), func() (bool, error) {
		h, err := p.hello(ctx)
		return err == nil && h.Routes(), unlessGone(p, err)
	})
}

// addShard adds a shard through whichever query router was there first.
func (s *start) addShard(ctx context.Context, set string) error {
	if err := s.primary[set].wait(ctx); err != nil {
		return err
	}
	if err := s.routing.wait(ctx); err != nil {
		return err
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	router := s.anyRouter(ctx)
	add := bson.D{{Key: "addShard", Value: set + "/" + s.hosts(set)}, {Key: "name", Value: set}}
	if err := router.persist(ctx, add); err != nil {
		return err
	}
	s.report("shard %s is added", set)
	return nil
}

// anyRouter returns a query router that answers; after the routing milestone there is one.
func (s *start) anyRouter(ctx context.Context) *process {
	var last *process
	for _, p := range s.members() {
		if p.Kind != kindRouter || !p.current().alive() {
			continue
		}
		last = p
		if h, err := p.hello(ctx); err == nil && h.Routes() {
			return p
		}
	}
	return last
}

// awaitCopying waits until a member does its work: takes writes, copies them or votes.
func (s *start) awaitCopying(ctx context.Context, p *process) error {
	if err := s.primary[p.Set].wait(ctx); err != nil {
		return err
	}
	return s.awaitMember(ctx, p)
}

func (c *Cluster) awaitMember(ctx context.Context, p *process) error {
	return poll(ctx, "wait for "+p.Name, func() (bool, error) {
		h, err := p.hello(ctx)
		return err == nil && (h.Primary || h.Secondary || h.Arbiter), unlessGone(p, err)
	})
}

// awaitHome waits until every primary is at home: on a busy machine a set may have changed its mind since it was formed.
func awaitHome(ctx context.Context, members []*process) error {
	for _, p := range members {
		if !p.Home || p.Kind == kindCore {
			continue
		}
		err := poll(ctx, "wait for the primary of "+p.Set+" to come home", func() (bool, error) {
			h, err := p.hello(ctx)
			return err == nil && h.Primary, unlessGone(p, err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
