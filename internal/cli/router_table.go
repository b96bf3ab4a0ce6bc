package cli

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

func newRouterTableCommand(env *environment) *cobra.Command {
	var flags worldFlags
	return withFlags(&cobra.Command{
		Use:   "table",
		Short: "Show who owns what, and where requests go",
		Long: `Show the routing table: the datacenters with the value that new records get there, the countries that they serve and their addresses; the zones with their owners and
copies; the routes in the order in which they are tried.

` + whichWorld,
		Example: `  geoshard router table
  geoshard router table --preset us-east-west --output json`,
		RunE: env.ofTable(&flags, func(name string, world *topology.Topology, table *router.Table) (view, error) {
			return newRouterTable(name, world, table), nil
		}),
	}, &flags)
}

// A routerTable is what router table shows.
type routerTable struct {
	Topology    string                `json:"topology"`
	Namespace   string                `json:"namespace"`
	Default     topology.DatacenterID `json:"default"`
	Budget      cluster.Duration      `json:"budget"`
	Queue       int                   `json:"queue"`
	Handle      []string              `json:"handle"`
	Datacenters []routedDatacenter    `json:"datacenters"`
	Zones       []routedZone          `json:"zones"`
	Routes      []routedRoute         `json:"routes"`
}

type routedDatacenter struct {
	ID        topology.DatacenterID `json:"id"`
	Role      topology.Role         `json:"role"`
	NewHome   string                `json:"newHome,omitempty"`
	Countries []string              `json:"countries,omitempty"`
	Endpoint  string                `json:"endpoint,omitempty"`
	Upstreams []string              `json:"upstreams,omitempty"`
}

type routedZone struct {
	ID     topology.ZoneID         `json:"id"`
	Owner  topology.DatacenterID   `json:"owner"`
	Shards []topology.ShardID      `json:"shards"`
	Copies []topology.DatacenterID `json:"copies"`
}

type routedRoute struct {
	Path    string              `json:"path"`
	Methods []string            `json:"methods,omitempty"`
	Class   topology.RouteClass `json:"class"`
	Mode    topology.RouteMode  `json:"mode"`
}

func newRouterTable(name string, world *topology.Topology, t *router.Table) routerTable {
	settings := t.Settings()
	if settings.Budget == 0 {
		settings.Budget = consistency.Budget(world, 0)
	}
	v := routerTable{Topology: name, Namespace: t.Namespace(), Default: t.Default(), Budget: cluster.Duration(settings.Budget), Queue: settings.Queue}
	for _, place := range settings.Handle {
		v.Handle = append(v.Handle, place.String())
	}
	for _, dc := range world.Datacenters {
		number := t.DC(dc.ID)
		v.Datacenters = append(v.Datacenters, routedDatacenter{ID: dc.ID, Role: dc.Role, NewHome: t.NewHome(number), Countries: dc.Countries, Endpoint: dc.Endpoint, Upstreams: t.Upstreams(number)})
	}
	for _, z := range t.Zones() {
		v.Zones = append(v.Zones, routedZone{ID: z.ID, Owner: t.Datacenter(z.Owner), Shards: z.Shards, Copies: z.Copies})
	}
	for _, r := range settings.Routes {
		r.Mode = cmp.Or(r.Mode, topology.RouteProxy)
		v.Routes = append(v.Routes, routedRoute(r))
	}
	return v
}

func (v routerTable) text(out page) {
	out.printf("%s: records of %s; handles in %s; new records that nothing else places go to %s; held for at most %s, %d at once\n\n",
		v.Topology, out.bold(v.Namespace), strings.Join(v.Handle, ", "), v.Default, v.Budget, v.Queue)
	t := out.grid("datacenter", "role", "new records get", "countries", "endpoint", "upstreams")
	for _, dc := range v.Datacenters {
		t.row(dc.ID, dc.Role, dc.NewHome, strings.Join(dc.Countries, " "), dc.Endpoint, strings.Join(dc.Upstreams, " "))
	}
	out.printf("%s\n", t)
	t = out.grid("zone", "owner", "shards", "copies")
	for _, z := range v.Zones {
		t.row(z.ID, z.Owner, joined(z.Shards), joined(z.Copies))
	}
	out.printf("%s", t)
	if len(v.Routes) == 0 {
		return
	}
	t = out.grid("route", "methods", "class", "mode")
	for _, r := range v.Routes {
		t.row(r.Path, cmp.Or(strings.Join(r.Methods, " "), "all"), r.Class, r.Mode)
	}
	out.printf("\n%s", t)
}

func joined[S ~string](names []S) string { return strings.Join(spelling.Texts(names), " ") }
