package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// A runner is what a command does: cobra's RunE. The commands differ in what they need (nothing, a topology, the local cluster, any cluster), and most of them end by
// showing a view.
type runner = func(cmd *cobra.Command, args []string) error

// shows shows what is found, by a command that needs nothing but its arguments.
func (e *environment) shows(find func(ctx context.Context, args []string) (view, error)) runner {
	return func(cmd *cobra.Command, args []string) error {
		v, err := find(cmd.Context(), args)
		if err != nil {
			return err
		}
		return e.show(v)
	}
}

// ofWorld shows what is found out about a topology, whose name is for messages.
func (e *environment) ofWorld(f *worldFlags, find func(name string, world *topology.Topology, args []string) (view, error)) runner {
	return e.shows(func(_ context.Context, args []string) (view, error) {
		name, world, err := readWorld(f.orDefault())
		if err != nil {
			return nil, err
		}
		return find(name, world, args)
	})
}

// onLocal works on the local cluster that --name names.
func (e *environment) onLocal(do func(ctx context.Context, c *local.Remote, args []string) error) runner {
	return func(cmd *cobra.Command, args []string) error {
		c, err := attach(cmd)
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, args)
	}
}

// does changes the local cluster that --name names, and shows what was done to it.
func (e *environment) does(do func(ctx context.Context, c *local.Remote, args []string) (deed, error)) runner {
	return e.onLocal(func(ctx context.Context, c *local.Remote, args []string) error {
		d, err := do(ctx, c, args)
		if err != nil {
			return err
		}
		d.Cluster = c.Name()
		return e.show(d)
	})
}

// onWorld works on the cluster of the flags with the topology of the flags.
func (e *environment) onWorld(f *clusterFlags, do func(context.Context, session) error) runner {
	return func(cmd *cobra.Command, _ []string) error { return e.withWorld(cmd, *f, do) }
}

// countArguments gives commands what their usage says already: how many arguments they take.
func countArguments(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = arguments(strings.Fields(cmd.Use)[1:]...)
	}
	for _, sub := range cmd.Commands() {
		countArguments(sub)
	}
}
