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

// A World is everything that runs. It is safe for concurrent use.
type World struct {
	options Options
	preset  string
	began   time.Time

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
	w := &World{options: o, preset: o.Preset, began: time.Now(), places: map[topology.DatacenterID]*place{}}
	if err := w.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the demonstration: %w", err), w.Close(context.WithoutCancel(ctx)))
	}
	return w, nil
}

func (w *World) start(ctx context.Context) error {
	declared, err := declaredWorld(w.preset)
	if err != nil {
		return err
	}
	w.homes = placement.Homes(declared)
	if len(w.homes) < 2 {
		return hint.New(fmt.Errorf("preset %s: %d datacenters have a zone of their name, and the story is about two or more", w.preset, len(w.homes)),
			"take the preset nyc-lon-syd or us-east-west")
	}
	links, err := wan.New(wan.Options{Datacenters: ids(declared.Datacenters), Links: declared.Links})
	if err != nil {
		return err
	}
	w.later(func(context.Context) error { return links.Close() })
	if err := w.listen(ctx, links); err != nil {
		return err
	}
	if err := w.route(declared); err != nil {
		return err
	}
	if err := w.startCluster(ctx, links); err != nil {
		return err
	}
	if err := w.zone(ctx); err != nil {
		return err
	}
	return w.open(ctx, links)
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

func (w *World) startCluster(ctx context.Context, links *wan.Network) error {
	o := local.Options{
		Name: w.options.Name, Dir: w.options.Dir, Topology: w.topology, ElectionTimeout: w.options.ElectionTimeout, Tools: w.options.Tools,
		Progress: func(e local.Event) { w.options.Progress("cluster: " + e.Text) },
	}
	c, err := local.Start(ctx, o)
	if err != nil {
		return err
	}
	w.cluster = &linked{Cluster: c, links: links}
	w.later(c.Close)
	return nil
}

// Cluster is the running cluster. Faults of its links are faults of the links between gateways and shops as well. The world's Close closes it.
func (w *World) Cluster() cluster.Cluster { return w.cluster }

// Topology is the declared world, with the addresses of the shops and gateways that run.
func (w *World) Topology() *topology.Topology { return w.topology }

// Tokens opens the causal tokens of the shops, to show what is in them.
func (w *World) Tokens() *signing.Keyring { return w.keys }

// Preset is the preset that the world was made from.
func (w *World) Preset() string { return w.preset }

// Datacenters are those with a shop and a gateway, in the order of the topology.
func (w *World) Datacenters() []topology.DatacenterID { return slices.Clone(w.homes) }

// Gateway is the base URL of a datacenter's gateway, for the clients there; empty for a datacenter without one.
func (w *World) Gateway(dc topology.DatacenterID) string {
	if p := w.places[dc]; p != nil {
		return p.gate
	}
	return ""
}

// Shop is the base URL of a datacenter's shop, for clients beside it; empty for a datacenter without one.
func (w *World) Shop(dc topology.DatacenterID) string {
	if p := w.places[dc]; p != nil {
		return p.direct
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

func ids(all []topology.Datacenter) []topology.DatacenterID {
	list := make([]topology.DatacenterID, len(all))
	for i, dc := range all {
		list[i] = dc.ID
	}
	return list
}
