package demo

import (
	"context"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/wan"
)

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
