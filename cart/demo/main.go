package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/gin-gonic/gin"
	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/clusterflag"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Main runs one command line of cartdemo, without the program's name, and returns its exit code. The first interrupt ends what runs in peace.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	gin.SetMode(gin.ReleaseMode) // its debug mode prints to the standard output
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "cartdemo:", err)
	if help := hint.Of(err); help != "" {
		fmt.Fprintln(stderr, "cartdemo: hint:", help)
	}
	return 1
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "cartdemo",
		Short: "A shop whose carts are written in one datacenter and read in all",
		Long: `cartdemo is the demonstration of geoshard: a shop with one instance in each datacenter. The cluster is a local one that runs (--name), or any other
by the connection string of a query router. Give that in GEOSHARD_URI or in a file (--uri-file): everybody on a machine can read the arguments of a process, so
--uri itself is for connection strings without a password. Passwords are never printed. TLS is an option of the connection string.`,
		SilenceErrors: true, SilenceUsage: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(newSetupCommand(), newServeCommand(), newKeyCommand())
	return root
}

func newSetupCommand() *cobra.Command {
	var o server.SetupOptions
	var from targetFlags
	var dcs []string
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make the shop's collections, indexes, validators, catalogue and stock",
		Long: `Make the shop: shard its collections by the datacenter and give each datacenter's range its zone, as the topology says; create the indexes and validators, the
catalogue and the stock of each datacenter. What is there stays: it can be run again. Without a topology the collections have to be sharded already.`,
		Example: "  cartdemo setup\n  cartdemo setup -f geoshard.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := from.choose(cmd, &o.Target); err != nil {
				return err
			}
			for _, dc := range dcs {
				o.DataCenters = append(o.DataCenters, topology.DatacenterID(dc))
			}
			o.Progress = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
			if err := server.Setup(cmd.Context(), o); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the shop is set up")
			return err
		},
	}
	from.add(cmd, &o.Target)
	cmd.Flags().StringSliceVar(&dcs, "dc", nil, "datacenters with carts (default: those of the topology that have a zone of their name)")
	cmd.Flags().Int64Var(&o.Stock, "stock", server.DefaultStock, "how many of each product a datacenter begins with")
	return cmd
}

func newServeCommand() *cobra.Command {
	var o server.Options
	var from targetFlags
	cmd := &cobra.Command{
		Use:     "serve --dc DATACENTER",
		Short:   "Run the instance of one datacenter: API, inventory service, shipping process",
		Long:    `Run the instance of one datacenter until it is interrupted. OTEL_EXPORTER_OTLP_ENDPOINT says where traces go, if anywhere.`,
		Example: "  cartdemo serve --dc LON --listen 127.0.0.1:8082 --token-key-file token.keys",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := from.choose(cmd, &o.Target); err != nil {
				return err
			}
			o.Log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			traces, end, err := serve.Traces(cmd.Context(), "cartdemo", string(o.DataCenter))
			if err != nil {
				return err
			}
			defer end()
			o.Traces = traces
			return server.Run(cmd.Context(), o)
		},
	}
	from.add(cmd, &o.Target)
	flags := cmd.Flags()
	flags.StringVar((*string)(&o.DataCenter), "dc", "", "the datacenter of this instance")
	_ = cmd.MarkFlagRequired("dc")
	flags.StringVar(&o.Listen, "listen", server.DefaultListen, "address to listen on")
	flags.DurationVar(&o.Timeout, "timeout", api.DefaultTimeout, "how long a request may take")
	flags.StringVar(&o.CertFile, "tls-certificate-file", "", "certificate of this server (PEM); read again when it changes")
	flags.StringVar(&o.KeyFile, "tls-key-file", "", "its key (PEM)")
	cmd.MarkFlagsRequiredTogether("tls-certificate-file", "tls-key-file")
	flags.BoolVar(&o.Insecure, "insecure", false, "listen beyond this machine without TLS")
	flags.StringVar(&o.TokenKeyFile, "token-key-file", "", "keys of the causal tokens, the same for all instances")
	return cmd
}

func newKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "key NAME",
		Short:   "Print a line for a token key file",
		Example: "  (umask 077; cartdemo key a1 > token.keys)",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			line, err := signing.NewKeyLine(args[0])
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			return err
		},
	}
}

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
