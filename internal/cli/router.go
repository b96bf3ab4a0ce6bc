package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

func newRouterCommand(env *environment) *cobra.Command {
	return asGroup(env, &cobra.Command{
		Use:   "router",
		Short: "Send every session to its owning datacenter: the gateway, and what it decides",
		Long: `Send every session to its owning datacenter. An existing record's home decides; a new record goes to the healthy datacenter nearest to the client.

serve runs a datacenter's gateway. decide, table and check tell what it would do, without a cluster and without a network.`,
		Example: `  geoshard router check
  geoshard router table --preset us-east-west
  geoshard router decide --country AU --at-dc NYC`,
	}, newRouterServeCommand, newRouterDecideCommand, newRouterTableCommand, newRouterCheckCommand, newRouterKeyCommand)
}

// ofTable shows what is found out about a topology's routing.
func (e *environment) ofTable(f *worldFlags, find func(name string, world *topology.Topology, table *router.Table) (view, error)) runner {
	return e.ofWorld(f, func(name string, world *topology.Topology, _ []string) (view, error) {
		table, err := router.NewTable(world)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return find(name, world, table)
	})
}

func newRouterCheckCommand(env *environment) *cobra.Command {
	var flags worldFlags
	return withFlags(&cobra.Command{
		Use:   "check",
		Short: "Check that a topology says how to route, and says it once",
		Long: `Check that a topology says how to route: whose each record is, where the application and the gateways are, what each request does. What is ambiguous is an error:
two routes for the same requests, or one that an earlier one hides; a datacenter without an upstream, a redirect without an endpoint; a zone whose shards are at home in
several datacenters; two headers that say where a client is. Exit code 1 when a gateway would refuse to start.

` + whichWorld,
		Example: `  geoshard router check
  geoshard router check -f geoshard.yaml --output json`,
		RunE: func(*cobra.Command, []string) error {
			src, err := readSource(flags.orDefault())
			if err != nil {
				return err
			}
			world, v := checked(src)
			if v.Valid {
				v = checkRouting(src, world, v)
			}
			return env.judge(v, v.Valid, "%s cannot be routed: %s", src.name, v.count())
		},
	}, &flags)
}

// checkRouting goes beyond the document's own rules: what a gateway needs, and what the defaults leave open.
func checkRouting(src source, world *topology.Topology, v validation) validation {
	warn := func(path, msg, suggestion string) {
		v.Problems = append(v.Problems, topology.Problem{Severity: topology.SeverityWarning, File: src.name, Path: path, Msg: msg, Hint: suggestion})
	}
	routed := *world
	routed.Router = cmp.Or(world.Router, &topology.Router{})
	table, err := router.NewTable(&routed)
	if err != nil {
		v.Problems, v.Valid = append(v.Problems, newFailure(err).Problems...), false
		for i := range v.Problems {
			v.Problems[i].File = src.name
		}
		return v
	}
	settings := table.Settings()
	if len(routed.Router.Upstreams) == 0 {
		warn("router.upstreams", "there are none: the middleware can route, a gateway cannot", "name the application's base URLs in each datacenter")
	}
	if len(settings.Routes) == 0 {
		warn("router.routes", "there are none: GET, HEAD and OPTIONS read, all else writes, and no path names a record", "declare the application's paths")
	}
	v.summary = fmt.Sprintf("%s of %s, new ones in %s; %s, %s with upstreams", plural(len(table.Zones()), "zone"), table.Namespace(),
		plural(table.Placeable().Len(), "datacenter"), plural(len(settings.Routes), "route"), plural(len(settings.Upstreams), "datacenter"))
	return v
}

func newRouterKeyCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "key NAME",
		Short: "Print a line for a key file of affinity cookies",
		Long: `Print a new key for the file of geoshard router serve --cookie-key-file: a name and a secret. The first key of a file signs, all verify; all gateways need the
same file. To change keys, add the new one behind the old one everywhere, then put it first, and drop the old one when its cookies have expired.`,
		Example: "  (umask 077; geoshard router key 2026-11 > cookie.keys)",
		RunE: func(_ *cobra.Command, args []string) error {
			line, err := signing.NewKeyLine(args[0])
			if err == nil {
				_, err = fmt.Fprintln(env.stdout, line)
			}
			return err
		},
	}
}
