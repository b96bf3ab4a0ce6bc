package demo

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/clusterflag"
	"github.com/geoshard/geoshard/topology"
)

// targetFlags are the files of a command's target; the other flags are fields of the target.
type targetFlags struct{ topology, uri string }

// add adds the flags that name the shop.
func (f *targetFlags) add(cmd *cobra.Command, t *server.Target) {
	cmd.Flags().StringVar(&t.URI, "uri", os.Getenv("GEOSHARD_URI"), "connection string of a query router (better: GEOSHARD_URI)")
	cmd.Flags().Lookup("uri").DefValue = "" // help does not show what is in the environment
	cmd.Flags().StringVar(&f.uri, "uri-file", "", "file that holds the connection string")
	cmd.Flags().StringVar(&t.Name, "name", local.DefaultName, "a local cluster that runs")
	cmd.Flags().StringVarP(&f.topology, "file", "f", "", "the topology of a file")
	cmd.Flags().StringVar(&t.Database, "database", store.DefaultDatabase, "database of the shop")
	cmd.Flags().StringVar(&t.Field, "field", "", "field with the datacenter (default: that of the topology's shop.carts, or dataCenter)")
}

// choose completes a target by the flags that were given. One of them wins over the environment.
func (f *targetFlags) choose(cmd *cobra.Command, t *server.Target) error {
	given, err := clusterflag.Given(cmd.Flags())
	switch given {
	case "--name":
		t.URI = ""
	case "--uri-file":
		t.URI, err = clusterflag.ReadURI(f.uri)
	}
	if err == nil && f.topology != "" {
		t.World, err = topology.Load(f.topology)
	}
	return err
}
