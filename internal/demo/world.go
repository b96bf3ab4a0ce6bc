package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/verify"
)

// DefaultName is the name of the demonstration's cluster, by which the other commands find it.
const DefaultName = "demo"

// database is the shop's.
const database = store.DefaultDatabase

// Options say which world to start. The zero value is the world of the default preset.
type Options struct {
	// Preset is empty for configs.Default.
	Preset string
	// Name is the cluster's; empty = DefaultName.
	Name string
	// Dir is local.Options.Dir.
	Dir string
	// ElectionTimeout is the replica sets'. 0 = local.DefaultElectionTimeout.
	ElectionTimeout time.Duration
	// Tools are the server's binaries. The zero value = find them, or fetch them into the user's cache.
	Tools mongobin.Tools
	// Progress hears what has been reached. nil = nobody. It must not block.
	Progress func(text string)
}

// electionTimeout is what the cluster has.
func (o Options) electionTimeout() time.Duration {
	return cmp.Or(o.ElectionTimeout, local.DefaultElectionTimeout)
}

// A World is everything that runs. It is safe for concurrent use.
type World struct {
	options Options
	began   time.Time

	links    *wan.Network
	cluster  *linked
	topology *topology.Topology
	field    string           // the field of documents that names their datacenter
	keys     *signing.Keyring // of all tokens and cookies, which end with this world
	// homes are the datacenters with a shop, in the order of the topology.
	homes  []topology.DatacenterID
	places map[topology.DatacenterID]*place
	zoning zoning

	closers  []func(context.Context) error // in the order in which they were begun
	closing  sync.Once
	closeErr error
}

// Start starts a world and returns when its zones are proved and every gateway answers. When ctx ends before, or anything fails, everything that was started is
// stopped and removed.
func Start(ctx context.Context, o Options) (*World, error) {
	o.Preset, o.Name = cmp.Or(o.Preset, configs.Default), cmp.Or(o.Name, DefaultName)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	w := &World{options: o, began: time.Now(), places: map[topology.DatacenterID]*place{}}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the demonstration: %w", err), w.Close(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (w *World) start(ctx context.Context) error {
	declared, err := declaredWorld(w.options.Preset)
	if err != nil {
		return err
	}
	w.homes = placement.Homes(declared)
	if len(w.homes) < 2 {
		return hint.New(fmt.Errorf("preset %s: %d datacenters have a zone of their name, and the story is about two or more", w.options.Preset, len(w.homes)),
			"take the preset nyc-lon-syd or us-east-west")
	}
	if w.links, err = wan.New(wan.Options{Datacenters: declared.DatacenterIDs(), Links: declared.Links}); err != nil {
		return err
	}
	w.later(func(context.Context) error { return w.links.Close() })
	if err := w.listen(ctx); err != nil {
		return err
	}
	if err := w.route(declared); err != nil {
		return err
	}
	c, err := local.Start(ctx, local.Options{
		Name: w.options.Name, Dir: w.options.Dir, Topology: w.topology, ElectionTimeout: w.options.ElectionTimeout, Tools: w.options.Tools,
		Progress: func(e local.Event) { w.options.Progress("cluster: " + e.Text) },
	})
	if err != nil {
		return err
	}
	w.later(c.Close)
	w.cluster = &linked{Cluster: c, links: w.links}
	if err := w.zone(ctx); err != nil {
		return err
	}
	return w.open(ctx)
}

// declaredWorld is the preset with all of the shop's collections, where it declares its carts alone.
func declaredWorld(preset string) (*topology.Topology, error) {
	text, err := configs.Read(preset)
	if err != nil {
		return nil, err
	}
	world, err := topology.Parse(preset, text)
	if err != nil {
		return nil, err
	}
	carts, ok := world.Namespace(database + ".carts")
	if !ok {
		return nil, hint.New(fmt.Errorf("preset %s declares no %s.carts", preset, database), "take the preset nyc-lon-syd or us-east-west")
	}
	for _, ns := range store.Namespaces(database, carts.ZoneBy) {
		if _, ok := world.Namespace(ns.Name); !ok {
			world.Namespaces = append(world.Namespaces, ns)
		}
	}
	slices.SortFunc(world.Namespaces, func(a, b topology.Namespace) int { return strings.Compare(a.Name, b.Name) })
	return world, nil
}

// Cluster is the running cluster. Faults of its links are faults of the links between gateways and shops as well. The world's Close closes it.
func (w *World) Cluster() cluster.Cluster { return w.cluster }

// Topology is the declared world, with the addresses of the shops and gateways that run.
func (w *World) Topology() *topology.Topology { return w.topology }

// Tokens opens the causal tokens of the shops, to show what is in them.
func (w *World) Tokens() *signing.Keyring { return w.keys }

// Gateway is the base URL of a datacenter's gateway, for the clients there; empty for a datacenter without one.
func (w *World) Gateway(dc topology.DatacenterID) string {
	if p := w.places[dc]; p != nil {
		return p.gate
	}
	return ""
}

// later notes what Close has to end.
func (w *World) later(f func(context.Context) error) { w.closers = append(w.closers, f) }

// Close ends everything, in the opposite order of its beginning. No process, port or directory is left. It is idempotent; a caller who gives up waiting leaves
// nothing half done.
func (w *World) Close(ctx context.Context) error {
	w.closing.Do(func() {
		ctx := context.WithoutCancel(ctx)
		var errs []error
		for _, f := range slices.Backward(w.closers) {
			errs = append(errs, f(ctx))
		}
		w.closeErr = errors.Join(errs...)
	})
	return w.closeErr
}

// linked is the cluster together with the links between gateways and shops, which are the same cables: who cuts one cuts both.
type linked struct {
	*local.Cluster
	links *wan.Network
}

var _ cluster.Cluster = (*linked)(nil)

// Apply puts a fault into force. A lag is the cluster's alone.
func (l *linked) Apply(ctx context.Context, fault wan.Fault) error {
	if err := l.Cluster.Apply(ctx, fault); err != nil {
		return err
	}
	return alike(fault, l.links.Apply)
}

// Remove ends one fault that is in force.
func (l *linked) Remove(ctx context.Context, fault wan.Fault) error {
	if err := l.Cluster.Remove(ctx, fault); err != nil {
		return err
	}
	return alike(fault, l.links.Remove)
}

// alike does with the gateways' links what was done with the cluster's.
func alike(fault wan.Fault, do func(wan.Fault) error) error {
	if _, ok := fault.(wan.Lag); ok {
		return nil
	}
	return do(fault)
}

// Heal removes every fault of the links and every lag.
func (l *linked) Heal(ctx context.Context) error {
	l.links.Heal()
	return l.Cluster.Heal(ctx)
}

// A zoning is what became of the declared zones when the world started.
type zoning struct {
	steps            []string
	planned, applied time.Duration
}

// zone plans what the declared zones need, applies it, and sets up the shop's catalogue and stock. To shard a collection takes the servers dozens of round trips, one
// after the other, so that is done at full speed, as the cluster itself was started; the delays are on from then on.
func (w *World) zone(ctx context.Context) (err error) {
	for _, l := range w.topology.Links {
		none := wan.Delay{A: l.Between[0], B: l.Between[1]}
		if err := w.cluster.Apply(ctx, none); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = w.cluster.Remove(ctx, none)
			}
		}()
	}
	began := time.Now()
	planned := func(plan *zones.Plan) {
		w.zoning.planned, began = time.Since(began), time.Now()
		for _, step := range plan.Steps {
			w.zoning.steps = append(w.zoning.steps, step.Change.String())
		}
		w.options.Progress(fmt.Sprintf("plan: %d steps", len(plan.Steps)))
	}
	uri, err := w.cluster.URI(w.center())
	if err != nil {
		return err
	}
	err = server.Setup(ctx, server.SetupOptions{
		Target: server.Target{URI: uri, World: w.topology}, DataCenters: w.homes, Planned: planned, Progress: func(text string) { w.options.Progress("apply: " + text) },
	})
	w.zoning.applied = time.Since(began)
	return err
}

// Plan plans what the cluster lacks of the declared zones: nothing, once the world has started.
func (w *World) Plan(ctx context.Context) (*zones.Plan, error) {
	uri, err := w.cluster.URI(w.center())
	if err != nil {
		return nil, err
	}
	c, err := catalog.Open(ctx, catalog.Options{URI: uri})
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	return c.Plan(ctx, w.topology, plan.Options{Shard: true})
}

// Verify proves by documents, on every member, that each is where it belongs.
func (w *World) Verify(ctx context.Context) (*verify.Report, error) {
	return verify.Verify(ctx, w.places[w.center()].client, w.topology, verify.Options{ShardClient: options.Client()})
}

// center is the datacenter from which the others are reached soonest.
func (w *World) center() topology.DatacenterID { return w.homes[placement.Center(w.topology, w.homes)] }
