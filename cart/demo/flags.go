package demo

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// targetFlags are the files of a command's target; the other flags are fields of the target.
type targetFlags struct{ topology, uri string }

// add adds the flags that name the shop.
func (f *targetFlags) add(cmd *cobra.Command, t *Target) {
	cmd.Flags().StringVar(&t.URI, "uri", os.Getenv("GEOSHARD_URI"), "connection string of a query router (better: GEOSHARD_URI)")
	cmd.Flags().Lookup("uri").DefValue = "" // help does not show what is in the environment
	cmd.Flags().StringVar(&f.uri, "uri-file", "", "file that holds the connection string")
	cmd.Flags().StringVar(&t.Name, "name", local.DefaultName, "a local cluster that runs")
	cmd.Flags().StringVarP(&f.topology, "file", "f", "", "the topology of a file")
	cmd.Flags().StringVar(&t.Database, "database", store.DefaultDatabase, "database of the shop")
	cmd.Flags().StringVar(&t.Field, "field", "", "field with the datacenter (default: that of the topology's shop.carts, or dataCenter)")
}

// choose completes a target by the flags that were given. One of them wins over the environment.
func (f *targetFlags) choose(cmd *cobra.Command, t *Target) (err error) {
	var given []string
	for _, name := range []string{"name", "uri", "uri-file"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return hint.New(fmt.Errorf("several clusters are named: %s", strings.Join(given, " and ")), "name one of them")
	}
	switch strings.Join(given, "") {
	case "--name":
		t.URI = ""
	case "--uri-file":
		if t.URI, err = readURI(f.uri); err != nil {
			return err
		}
	}
	if f.topology != "" {
		t.World, err = topology.Load(f.topology)
	}
	return err
}

// readURI reads a file with one line.
func readURI(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the connection string: %w", err)
	}
	uri := strings.TrimSpace(string(text))
	if uri == "" || strings.ContainsAny(uri, "\r\n") {
		return "", hint.New(fmt.Errorf("read the connection string: %s has to hold one line", file), "such as mongodb://user:password@host:27017/?authSource=admin&tls=true")
	}
	return uri, nil
}
