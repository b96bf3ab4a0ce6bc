package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// followCluster connects the gateway to the cluster, where one is named. The returned function disconnects.
func (e *environment) followCluster(cmd *cobra.Command, s *routerServe) (leave func(), err error) {
	if !cmd.Flags().Changed("name") && s.URI == "" && s.URIFile == "" {
		return func() {}, nil
	}
	t, err := e.target(cmd, s.reachFlags)
	if err != nil {
		return nil, err
	}
	here := topology.DatacenterID(s.DC)
	var dialer options.ContextDialer
	if t.local != nil {
		if t.uri, err = routerURI(t.local, here, withSecrets); err != nil {
			return nil, err
		}
		if dialer, err = t.local.Dialer(cmd.Context(), here); err != nil { // as a machine of that datacenter would connect
			return nil, err
		}
	}
	of := func() *options.ClientOptions {
		o := options.Client().ApplyURI(t.uri).SetAppName("geoshard-gateway")
		o.Dialer = dialer
		return o
	}
	client, err := mongo.Connect(of())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", redact.URI(t.uri), redact.Error(err, t.uri))
	}
	leave = func() { _ = client.Disconnect(context.WithoutCancel(cmd.Context())) } // the gateway has ended
	s.gateway.Client = client
	s.gateway.Members = func() *options.ClientOptions {
		from := of()
		o := options.Client().SetAppName("geoshard-gateway")
		o.TLSConfig, o.Dialer = from.TLSConfig, from.Dialer
		return o
	}
	table, err := router.NewTable(s.gateway.World)
	if err == nil {
		s.gateway.Directory, err = directory.New(directory.Options{Client: client, World: s.gateway.World, Namespace: table.Namespace(), Here: here})
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
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
