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
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
)

// clusterFlags say which topology and which cluster a command is about.
type clusterFlags struct {
	worldFlags
	uri, uriFile    string
	caFile, keyFile string
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

// add adds the flags to a command.
func (f *clusterFlags) add(cmd *cobra.Command) {
	f.worldFlags.add(cmd, "the topology of a preset", "the topology of a file")
	f.addCluster(cmd)
}

func (f *clusterFlags) addCluster(cmd *cobra.Command) {
	cmd.Flags().String("name", local.DefaultName, "a local cluster that runs")
	_ = cmd.RegisterFlagCompletionFunc("name", completeNames)
	cmd.Flags().StringVar(&f.uri, "uri", "", "connection string of a mongos of another cluster; - asks for it")
	cmd.Flags().StringVar(&f.uriFile, "uri-file", "", "file that holds the connection string")
	cmd.Flags().StringVar(&f.caFile, "tls-ca-file", "", "certificates of the authorities to trust (PEM)")
	cmd.Flags().StringVar(&f.keyFile, "tls-certificate-key-file", "", "this client's certificate and key (PEM)")
}

// A target is a cluster that is not connected to yet.
type target struct {
	uri string
	// local is nil for a cluster that a connection string leads to.
	local *local.Remote
}

// target finds the cluster. A flag on the command line wins over the settings.
func (e *environment) target(cmd *cobra.Command, f clusterFlags) (target, error) {
	choice, err := clusterflag.Given(cmd.Flags())
	if err != nil {
		return target{}, err
	}
	switch {
	case choice == "--name":
	case choice == "--uri", choice == "" && f.uri != "":
		uri, err := e.givenURI(cmd, f.uri)
		return target{uri: f.withTLS(uri)}, err
	case choice == "--uri-file", f.uriFile != "":
		uri, err := clusterflag.ReadURI(f.uriFile)
		return target{uri: f.withTLS(uri)}, err
	}
	return localTarget(cmd)
}

func localTarget(cmd *cobra.Command) (target, error) {
	c, err := attach(cmd)
	if errors.Is(err, cluster.ErrNotRunning) {
		err = hint.New(err, "start it with geoshard cluster up, or give the connection string of another cluster: GEOSHARD_URI, --uri-file or --uri")
	}
	if err != nil {
		return target{}, err
	}
	uri, err := routerURI(c, topology.DatacenterID(routedNames(c.Topology())[0]), withSecrets)
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
func (f clusterFlags) withTLS(uri string) string {
	options := url.Values{}
	if f.caFile != "" {
		options.Set("tlsCAFile", f.caFile)
	}
	if f.keyFile != "" {
		options.Set("tlsCertificateKeyFile", f.keyFile)
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

// world reads the topology.
func (f clusterFlags) world(t target) (*topology.Topology, error) {
	if f.worldFlags == (worldFlags{}) && t.local != nil && !exists(defaultFile) {
		return t.local.Topology(), nil
	}
	src, err := readSource(f.file, f.preset)
	if err != nil {
		return nil, err
	}
	return topology.Parse(src.name, src.text)
}

// worldAlone reads the topology for a command that needs no cluster.
func worldAlone(cmd *cobra.Command, f clusterFlags) (*topology.Topology, error) {
	t := target{}
	if c, err := attach(cmd); err == nil { // where none runs, there has to be a file
		t.local = c
	}
	return f.world(t)
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
	t, err := e.target(cmd, f)
	if err != nil {
		return err
	}
	world, err := f.world(t)
	if err != nil {
		return err
	}
	return t.with(cmd.Context(), world, do)
}

// withCluster connects to the cluster, and disconnects when the work is done.
func (e *environment) withCluster(cmd *cobra.Command, f clusterFlags, do func(context.Context, session) error) error {
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
func completeWorld(f *clusterFlags, arguments int, names func(*topology.Topology) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= arguments {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		cmd.SetContext(context.Background()) // completion has none
		world, err := worldAlone(cmd, *f)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(world), cobra.ShellCompDirectiveNoFileComp
	}
}

// zoneNames lists the zones of a topology.
func zoneNames(t *topology.Topology) []string { return spelling.Texts(t.ZoneIDs()) }

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
