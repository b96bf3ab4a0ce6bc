package cli

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/clusterflag"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
)

// clusterFlags say which topology and which cluster a command is about.
type clusterFlags struct {
	worldFlags
	reachFlags
}

// reachFlags say which cluster it is, and how to reach it.
type reachFlags struct {
	URI     string `flag:"uri" usage:"connection string of a mongos of another cluster; - asks for it"`
	URIFile string `flag:"uri-file" usage:"file that holds the connection string"`
	CAFile  string `flag:"tls-ca-file" usage:"certificates of the authorities to trust (PEM)"`
	KeyFile string `flag:"tls-certificate-key-file" usage:"this client's certificate and key (PEM)"`
}

// whichHelp ends the help of commands that take clusterFlags.
const whichHelp = `

The topology is the one of -f FILE or --preset; without either it is geoshard.yaml of the working directory, or, where there is no such file, the one
that the local cluster was started with. ` + reachHelp

// reachHelp is about the cluster alone.
const reachHelp = `The cluster is a local one that runs (--name), or any other one by the connection string of a mongos. Give that in
GEOSHARD_URI, in a file (--uri-file) or at a prompt (--uri -): everybody on a machine can read the arguments of a process, so --uri itself is for
connection strings without a password. Passwords are never printed. TLS and X.509 are options of the connection string, or --tls-ca-file and
--tls-certificate-key-file.`

func (f *clusterFlags) add(cmd *cobra.Command) {
	describeWorld(cmd, "the topology of a file", "the topology of a preset")
	f.reachFlags.add(cmd)
}

func (f *reachFlags) add(cmd *cobra.Command) {
	cmd.Flags().String("name", local.DefaultName, "a local cluster that runs")
	_ = cmd.RegisterFlagCompletionFunc("name", completeNames)
}

// A target is a cluster that is not connected to yet.
type target struct {
	uri string
	// local is nil for a cluster that a connection string leads to.
	local *local.Remote
}

// target finds the cluster. A flag on the command line wins over the settings.
func (e *environment) target(cmd *cobra.Command, f reachFlags) (target, error) {
	choice, err := clusterflag.Given(cmd.Flags())
	if err != nil {
		return target{}, err
	}
	switch {
	case choice == "--name":
	case choice == "--uri", choice == "" && f.URI != "":
		uri, err := e.givenURI(cmd, f.URI)
		return target{uri: f.withTLS(uri)}, err
	case choice == "--uri-file", f.URIFile != "":
		uri, err := clusterflag.ReadURI(f.URIFile)
		return target{uri: f.withTLS(uri)}, err
	}
	c, err := attach(cmd)
	if errors.Is(err, cluster.ErrNotRunning) {
		err = hint.New(err, "start it with geoshard cluster up, or give the connection string of another cluster: GEOSHARD_URI, --uri-file or --uri")
	}
	if err != nil {
		return target{}, err
	}
	uri, err := routerURI(c, routedIDs(c.Topology())[0], withSecrets)
	return target{uri: uri, local: c}, err
}

// givenURI is the value of --uri or GEOSHARD_URI, or what is asked for.
func (e *environment) givenURI(cmd *cobra.Command, uri string) (string, error) {
	if uri == "-" {
		return e.askSecret(cmd.Context(), "connection string (not shown): ")
	}
	if u, err := url.Parse(uri); err == nil && cmd.Flags().Changed("uri") {
		if _, secret := u.User.Password(); secret {
			e.say("the password in --uri can be read in the list of processes: use GEOSHARD_URI, --uri-file or --uri -")
		}
	}
	return uri, nil
}

// withTLS adds the files of the flags to a connection string.
func (f reachFlags) withTLS(uri string) string {
	options := url.Values{}
	if f.CAFile != "" {
		options.Set("tlsCAFile", f.CAFile)
	}
	if f.KeyFile != "" {
		options.Set("tlsCertificateKeyFile", f.KeyFile)
	}
	if len(options) == 0 || uri == "" {
		return uri
	}
	options.Set("tls", "true")
	_, rest, _ := strings.Cut(uri, "://")
	separator := "/?"
	switch { // special characters of a password are escaped, so these are none of them
	case strings.Contains(rest, "?"):
		separator = "&"
	case strings.Contains(rest, "/"):
		separator = "?"
	}
	return uri + separator + options.Encode()
}

// of reads the topology: that of the local cluster, if there is one, where nothing else is named.
func (f worldFlags) of(c *local.Remote) (*topology.Topology, error) {
	if f == (worldFlags{}) && c != nil && !exists(defaultFile) {
		return c.Topology(), nil
	}
	_, world, err := readWorld(f.File, f.Preset)
	return world, err
}

// worldAlone reads the topology for a command that needs no cluster.
func worldAlone(cmd *cobra.Command) (*topology.Topology, error) {
	c, _ := attach(cmd) // where none runs, there has to be a file
	file, _ := cmd.Flags().GetString("file")
	preset, _ := cmd.Flags().GetString("preset")
	return worldFlags{file, preset}.of(c)
}

// A session is a cluster that is connected to.
type session struct {
	*catalog.Catalog
	target target
	// world is nil where the command needs no topology.
	world *topology.Topology
}

// withWorld reads the topology, connects to the cluster, and disconnects when the work is done.
func (e *environment) withWorld(cmd *cobra.Command, f clusterFlags, do func(context.Context, session) error) error {
	t, err := e.target(cmd, f.reachFlags)
	if err != nil {
		return err
	}
	world, err := f.of(t.local)
	if err != nil {
		return err
	}
	return t.with(cmd.Context(), world, do)
}

// withCluster connects to the cluster, and disconnects when the work is done.
func (e *environment) withCluster(cmd *cobra.Command, f reachFlags, do func(context.Context, session) error) error {
	t, err := e.target(cmd, f)
	if err != nil {
		return err
	}
	return t.with(cmd.Context(), nil, do)
}

func (t target) with(ctx context.Context, world *topology.Topology, do func(context.Context, session) error) error {
	c, err := catalog.Open(ctx, catalog.Options{URI: t.uri})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }() // all is done or has failed by then
	return do(ctx, session{c, t, world})
}

// completeWorld completes the first arguments, up to a number, with names of the topology that the command would read.
func completeWorld[S ~string](arguments int, names func(*topology.Topology) []S) cobra.CompletionFunc {
	return completeFrom(worldAlone, arguments, names)
}

// namespaceNames lists the collections that a topology names.
func namespaceNames(t *topology.Topology) []string {
	var names []string
	for _, ns := range t.Namespaces {
		if !ns.IsPattern() {
			names = append(names, ns.Name)
		}
	}
	return names
}
