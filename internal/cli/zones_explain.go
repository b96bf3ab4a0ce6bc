package cli

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/explain"
)

func newExplainCommand(env *environment) *cobra.Command {
	var flags struct {
		clusterFlags
		namespaceFlags
		From string `flag:"from" complete:"datacenters" usage:"the client's datacenter (default each)"`
	}
	return withFlags(&cobra.Command{
		Use:   "explain FILTER",
		Short: "Show which shards and datacenters a query touches, and what that must cost",
		Long: `Show which shards a find by the filter asks, where those are at home, and the latency that it must have by the links of the topology, for a
client in each datacenter or in that of --from. The query router is asked which shards it would ask; the query is not run.

The filter is extended JSON. Without --ns it is about the namespace of the topology, where there is just one.` + whichHelp,
		Example: `  geoshard explain '{"dataCenter":"NYC"}'
  geoshard explain '{"cartId":7}' --ns shop.carts --from SYD`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := readFilter("FILTER", args[0])
			if err != nil {
				return err
			}
			return env.withWorld(cmd, flags.clusterFlags, func(ctx context.Context, s session) error {
				ns, err := flags.namespace(s.world)
				if err != nil {
					return err
				}
				clients := routedIDs(s.world)
				if flags.From != "" {
					clients = []topology.DatacenterID{topology.DatacenterID(flags.From)}
				}
				var view explanations
				for _, dc := range clients {
					e, err := explain.Explain(ctx, s.Client(), s.world, ns, filter, dc)
					if err != nil {
						return err
					}
					view = append(view, e)
				}
				return env.show(view)
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}, &flags)
}

// namespaceFlags name a collection.
type namespaceFlags struct {
	Namespace string `flag:"ns,oneRun" complete:"namespaces" usage:"the collection, such as shop.carts"`
}

// readFilter reads extended JSON.
func readFilter(name, text string) (bson.D, error) {
	filter := bson.D{}
	var whole map[string]any // the driver's parser takes null for a document, and does not mind what follows one
	err := json.Unmarshal([]byte(text), &whole)
	if err == nil && whole == nil {
		err = errors.New("it is no document")
	}
	if err == nil {
		err = bson.UnmarshalExtJSON([]byte(text), false, &filter)
	}
	if err != nil {
		return nil, hint.Errorf(`write extended JSON, with field names in double quotes: '{"dataCenter": "NYC"}'`, "%s %s: %v", name, text, err)
	}
	return filter, nil
}

// namespace is the one that is named, or the only one that there is.
func (f namespaceFlags) namespace(world *topology.Topology) (string, error) {
	if f.Namespace != "" {
		return f.Namespace, nil
	}
	names := namespaceNames(world)
	if len(names) == 1 && len(world.Namespaces) == 1 {
		return names[0], nil
	}
	return "", hint.Errorf("name it with --ns; the topology has "+strings.Join(names, ", "), "which namespace?")
}

// explanations are what a query costs clients in one datacenter after the other.
type explanations []*explain.Explanation

func (v explanations) text(out page) {
	first := v[0]
	routing := out.warn
	if first.Routing == explain.RoutingOne {
		routing = out.good
	}
	out.printf("%s.find(%s): %s\n", first.Namespace, first.Filter, routing(first.Routing.String()))
	out.printf("because %s\n\n", first.Why)
	t := out.grid("shard", "home")
	for _, shard := range first.Shards {
		t.row(shard.ID, shard.Home)
	}
	out.printf("%s\n", t)
	t = out.grid("client in", "from primaries at least", "from the nearest members at least")
	for _, e := range v {
		t.row(e.From, e.Primary, e.Nearest)
	}
	out.printf("%s", t)
}
