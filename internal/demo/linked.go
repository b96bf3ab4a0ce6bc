package demo

import (
	"context"
	"errors"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// linked is the cluster together with the links between gateways and shops, which are the same cables: who cuts one cuts both.
type linked struct {
	*local.Cluster
	links *wan.Network
}

var _ cluster.Cluster = (*linked)(nil)

// Isolate cuts every link of a datacenter, in both directions.
func (l *linked) Isolate(ctx context.Context, dc topology.DatacenterID) error {
	return l.Apply(ctx, wan.Isolate{DC: dc}.String())
}

// Cut cuts the link between two datacenters, in both directions.
func (l *linked) Cut(ctx context.Context, a, b topology.DatacenterID) error {
	return l.Apply(ctx, wan.Cut{From: a, To: b}.String())
}

// Apply puts a fault into force, written as the wan package parses it. A lag is the cluster's alone.
func (l *linked) Apply(ctx context.Context, fault string) error {
	if err := l.Cluster.Apply(ctx, fault); err != nil {
		return err
	}
	return l.alike(fault, l.links.Apply)
}

// Remove ends one fault that is in force.
func (l *linked) Remove(ctx context.Context, fault string) error {
	if err := l.Cluster.Remove(ctx, fault); err != nil {
		return err
	}
	return l.alike(fault, l.links.Remove)
}

// alike does with the gateways' links what was done with the cluster's, which has checked the fault.
func (l *linked) alike(fault string, do func(wan.Fault) error) error {
	parsed, err := wan.ParseFault(fault)
	if err != nil {
		return err
	}
	if _, ok := parsed.(wan.Lag); ok {
		return nil
	}
	return do(parsed)
}

// Heal removes every fault of the links and every lag.
func (l *linked) Heal(ctx context.Context) error {
	l.links.Heal()
	return errors.Join(l.Cluster.Heal(ctx))
}
