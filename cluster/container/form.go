package container

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// A forming is the bookkeeping of what becomes part of the cluster: each step runs by itself and waits for nothing but what it needs.
type forming struct {
	*Cluster
	fresh     []*member
	answering map[string]*milestone // by member
	primary   map[string]*milestone // by replica set
	routing   *milestone            // a query router answers
	adding    sync.Mutex            // the config servers add one shard at a time
}

// startingAtOnce limits how many servers start at the same moment: starting one is work for the processor, so more at once do not end
// sooner, but together, and then nothing is left to do while the elections wait.
func startingAtOnce() int { return runtime.GOMAXPROCS(0) + 1 }

// form starts fresh members and makes them a sharded cluster, or part of the one that the old ones are.
func (c *Cluster) form(ctx context.Context, old, fresh []*member) error {
	f := &forming{Cluster: c, fresh: fresh, answering: map[string]*milestone{}, primary: map[string]*milestone{}, routing: newMilestone()}
	present, sets := bySet(old), bySet(fresh)
	for _, m := range fresh {
		f.answering[m.node.Name] = newMilestone()
	}
	for set := range sets {
		f.primary[set] = newMilestone()
	}
	for set := range present {
		if f.primary[set] == nil { // it gets nobody
			f.primary[set] = newMilestone()
			f.primary[set].reach()
		}
	}
	if len(old) > 0 {
		f.routing.reach()
	}
	steps, stepping := errgroup.WithContext(ctx)
	f.startServers(stepping, steps)
	for set, members := range sets {
		if len(present[set]) > 0 {
			steps.Go(func() error { return f.joinSet(stepping, set, present[set], members) })
			continue
		}
		steps.Go(func() error { return f.formSet(stepping, set, members) })
	}
	for _, m := range fresh {
		if m.node.Kind == layout.Router {
			steps.Go(func() error { return f.startRouter(stepping, m) })
		}
	}
	if err := steps.Wait(); err != nil {
		return err
	}
	return c.awaitAll(ctx, fresh)
}

// bySet sorts members by their replica set; routers have none.
func bySet(members []*member) map[string][]*member {
	sets := map[string][]*member{}
	for _, m := range members {
		if m.node.Set != "" {
			sets[m.node.Set] = append(sets[m.node.Set], m)
		}
	}
	return sets
}

// joinSet makes members part of a set that works.
func (f *forming) joinSet(ctx context.Context, set string, present, joining []*member) error {
	var old, fresh []replica.Member
	for _, m := range present {
		old = append(old, m)
	}
	for _, m := range joining {
		if err := f.answering[m.node.Name].wait(ctx); err != nil {
			return err
		}
		fresh = append(fresh, m)
	}
	if err := replica.Join(ctx, old, fresh); err != nil {
		return err
	}
	for _, m := range joining {
		f.report("%s is a member of %s", m.node.Name, set)
	}
	f.primary[set].reach()
	return nil
}

// startServers starts the servers set by set, those with the catalogue first, so that the first sets elect while the last ones start.
func (f *forming) startServers(ctx context.Context, steps *errgroup.Group) {
	var order []*member
	for _, first := range []bool{true, false} {
		for _, m := range f.fresh {
			if m.node.Kind != layout.Router && first == (m.node.Kind == layout.Config) {
				order = append(order, m)
			}
		}
	}
	slots := make(chan struct{}, startingAtOnce())
	steps.Go(func() error {
		for _, m := range order {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			steps.Go(func() error {
				defer func() { <-slots }()
				if err := f.create(ctx, m, f.serverCommand(m)); err != nil {
					return err
				}
				if err := f.await(ctx, m, "answer", func(replica.Hello) bool { return true }); err != nil {
					return err
				}
				f.answering[m.node.Name].reach()
				return nil
			})
		}
		return nil
	})
}

// formSet initiates a replica set from its home member, waits until that one is primary, and makes a shard of it.
func (f *forming) formSet(ctx context.Context, set string, members []*member) error {
	hosts := map[string]string{}
	var nodes []layout.Node
	var home *member
	for _, m := range members {
		// replSetInitiate asks every member before it starts, so all of them have to answer.
		if err := f.answering[m.node.Name].wait(ctx); err != nil {
			return err
		}
		hosts[m.node.Name] = m.Advertised()
		nodes = append(nodes, m.node)
		if m.node.Home {
			home = m
		}
	}
	if err := replica.Initiate(ctx, home, layout.SetConfig(set, nodes, hosts, f.settings.electionTimeout)); err != nil {
		return err
	}
	f.report("primary of %s is at home in %s", set, home.node.DC)
	if set != cluster.ConfigSet {
		return f.addShard(ctx, set)
	}
	err := replica.Persist(ctx, home, replica.MajorityByDefault())
	if err == nil {
		f.primary[set].reach()
	}
	return err
}

func (f *forming) startRouter(ctx context.Context, m *member) error {
	if err := f.primary[cluster.ConfigSet].wait(ctx); err != nil {
		return err
	}
	if err := f.create(ctx, m, f.routerCommand(m)); err != nil {
		return err
	}
	if err := f.await(ctx, m, "route", replica.Hello.Routes); err != nil {
		return err
	}
	f.report("query router of %s answers", m.node.DC)
	f.answering[m.node.Name].reach()
	f.routing.reach()
	return nil
}

// addShard adds a shard through whichever query router was there first.
func (f *forming) addShard(ctx context.Context, set string) error {
	if err := f.routing.wait(ctx); err != nil {
		return err
	}
	f.adding.Lock()
	defer f.adding.Unlock()
	for _, m := range f.members() {
		if m.node.Kind != layout.Router || !m.Running() {
			continue
		}
		if h, err := replica.Greet(ctx, m); err != nil || !h.Routes() {
			continue
		}
		err := replica.Persist(ctx, m, bson.D{{Key: "addShard", Value: set + "/" + f.hosts(set)}, {Key: "name", Value: set}})
		if err == nil {
			f.report("shard %s is added", set)
		}
		return err
	}
	return fmt.Errorf("add shard %s: no query router answers any more", set)
}

// awaitAll waits until everybody does its work and every primary is at home: on a busy machine a set may have changed its mind since it was formed.
func (c *Cluster) awaitAll(ctx context.Context, members []*member) error {
	for _, m := range members {
		works := replica.Hello.Works
		if m.node.Home {
			works = func(h replica.Hello) bool { return h.Primary }
		}
		if err := c.await(ctx, m, "do its work", works); err != nil {
			return err
		}
	}
	return nil
}

// identify asks what was started: MongoDB's version, and whether its own mongos routes.
func (c *Cluster) identify(ctx context.Context) error {
	for _, m := range c.members() {
		if m.node.Kind != layout.Router {
			continue
		}
		var router struct {
			Version   string `bson:"version"`
			Devmongos bson.D `bson:"devmongos"`
		}
		if err := m.Run(ctx, bson.D{{Key: "serverStatus", Value: 1}}, &router); err != nil {
			return err
		}
		c.router = cluster.QueryRouter{Kind: "mongos", Version: router.Version}
		if router.Devmongos != nil {
			c.router.Kind = "devmongos"
		}
		return nil
	}
	return nil
}

// hosts lists the addresses of a replica set's members.
func (c *Cluster) hosts(set string) string {
	var hosts []string
	for _, m := range c.members() {
		if m.node.Set == set {
			hosts = append(hosts, m.Advertised())
		}
	}
	return strings.Join(hosts, ",")
}
