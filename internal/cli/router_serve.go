package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/internal/serve"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/directory"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Where a gateway listens unless it is told otherwise.
const (
	defaultGateway      = "127.0.0.1:8081"
	defaultGatewayAdmin = "127.0.0.1:8181"
)

// routerServe are the flags of the command.
type routerServe struct {
	reachFlags
	File                string        `flag:"file,oneRun" short:"f" files:"yaml yml" usage:"the topology of a file (default geoshard.yaml)"`
	DC                  string        `flag:"dc,required" usage:"the datacenter of this gateway (required)"`
	Listen              string        `flag:"listen" usage:"address for clients"`
	AdminListen         string        `flag:"admin-listen" usage:"address for metrics, the live table and the API; empty = none"`
	Insecure            bool          `flag:"insecure" usage:"listen beyond this machine without TLS"`
	CookieKeys          string        `flag:"cookie-key-file" usage:"keys of the affinity cookies, the same for all gateways; without them there are no cookies"`
	TokenFile           string        `flag:"admin-token-file" usage:"bearer token of the admin API; without it the API is closed"`
	H2C                 bool          `flag:"h2c" usage:"take HTTP/2 without TLS from clients too"`
	Connections         int           `flag:"most-connections" usage:"connections of clients"`
	Drain               time.Duration `flag:"drain" usage:"how long requests under way may take at the end"`
	Certificate         string        `flag:"tls-certificate-file" usage:"certificate of this gateway (PEM)"`
	Key                 string        `flag:"tls-key-file" usage:"its key (PEM)"`
	Authorities         string        `flag:"tls-client-ca-file" usage:"authorities whose certificates clients need (PEM)"`
	UpstreamAuthorities string        `flag:"upstream-ca-file" usage:"authorities of the applications' certificates (PEM; default: the system's)"`
	UpstreamCertificate string        `flag:"upstream-certificate-file" usage:"certificate that this gateway shows to applications (PEM)"`
	UpstreamKey         string        `flag:"upstream-key-file" usage:"its key (PEM)"`
	UpstreamH2C         bool          `flag:"upstream-h2c" usage:"speak HTTP/2 without TLS to http:// applications"`
	CheckPath           string        `flag:"check-path" usage:"what applications are asked to see whether they are well"`
	CheckEvery          time.Duration `flag:"check-every" usage:"how often"`
	AnswerWithin        time.Duration `flag:"answer-within" usage:"how long an application may take to begin its answer"`
	ElectionTimeout     time.Duration `flag:"election-timeout" usage:"the replica sets' own, from which follows how long requests are held where the topology has no budget"`
	BodyLimit           int64         `flag:"body-limit" usage:"bytes of a request's body; -1 = any number"`
	Requests            int           `flag:"most-requests" usage:"requests under way"`
	Explain             bool          `flag:"explain-answers" usage:"tell of the decision in the headers of every answer"`
	gateway             gateway.Options
}

func newRouterServeCommand(env *environment) *cobra.Command {
	s := routerServe{
		Listen: defaultGateway, AdminListen: defaultGatewayAdmin, Connections: gateway.DefaultConnections, Drain: gateway.DefaultDrain,
		CheckPath: gateway.DefaultCheckPath, CheckEvery: gateway.DefaultCheckEvery, AnswerWithin: gateway.DefaultAnswerWithin, ElectionTimeout: consistency.MongoDBElections.Timeout,
		BodyLimit: gateway.DefaultBodyLimit, Requests: gateway.DefaultRequests,
	}
	return withFlags(&cobra.Command{
		Use:   "serve --dc DATACENTER",
		Short: "Run the gateway of a datacenter",
		Long: `Run the gateway of a datacenter until it is interrupted: a reverse proxy that gets each request to the datacenter that serves it. The router section of
geoshard.yaml says which applications there are and what their paths mean. The file, the keys and the certificates are read again when they change, and on SIGHUP;
what cannot be used is refused, and the gateway goes on as it was.

With a cluster (--name, GEOSHARD_URI, --uri-file) the gateway knows where each shard has its primary, finds records that have changed home, and offers the
API for that. Without one it works by the health of the applications alone.

The admin listener has /metrics, /debug/geoshard, /healthz, /readyz and POST /v1/rehome, and belongs on this machine or into a network of your own.
OTEL_EXPORTER_OTLP_ENDPOINT says where traces go, if anywhere.

` + reachHelp,
		Example: `  (umask 077; geoshard router key a1 > cookie.keys)
  geoshard router serve -f geoshard.yaml --dc LON --listen 127.0.0.1:8082 --cookie-key-file cookie.keys
  geoshard router serve --dc NYC --name geoshard --admin-token-file admin.token`,
		Args:        arguments(),
		Annotations: map[string]string{rereadsOnHangUp: "true"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return env.serveRouter(cmd, &s) },
	}, &s)
}

func (e *environment) serveRouter(cmd *cobra.Command, s *routerServe) error {
	ctx := cmd.Context()
	s.File = cmp.Or(s.File, defaultFile)
	if err := s.checkListeners(); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(e.stderr, nil))
	world, keys, err := s.read()
	if err != nil {
		return err
	}
	token := ""
	if s.TokenFile != "" {
		if token, err = gateway.ReadTokenFile(s.TokenFile); err != nil {
			return err
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.gateway = gateway.Options{
		World: world, Here: topology.DatacenterID(s.DC), Keys: keys, Log: log, Registerer: registry,
		UpstreamTLS: gateway.TLSFiles{Certificate: s.UpstreamCertificate, Key: s.UpstreamKey, Authorities: s.UpstreamAuthorities}, H2C: s.UpstreamH2C,
		CheckPath: s.CheckPath, CheckEvery: s.CheckEvery, AnswerWithin: s.AnswerWithin, ElectionTimeout: s.ElectionTimeout, BodyLimit: s.BodyLimit, Requests: s.Requests, Explain: s.Explain,
	}
	traces, end, err := serve.Traces(ctx, "geoshard-gateway", s.DC)
	if err != nil {
		return err
	}
	defer end()
	s.gateway.Traces = traces
	leave, err := e.followCluster(cmd, s)
	if err != nil {
		return err
	}
	defer leave()
	gate, err := gateway.New(s.gateway)
	if err != nil {
		return err
	}
	defer gate.Close()
	return s.run(ctx, gate, gateway.AdminOptions{Token: token, Gatherer: registry}, log)
}

// read reads what is read again when it changes.
func (s *routerServe) read() (*topology.Topology, *signing.Keyring, error) {
	_, world, err := readWorld(s.File, "")
	if err != nil || s.CookieKeys == "" {
		return world, nil, err
	}
	keys, err := signing.ReadKeyFile(s.CookieKeys, "cookie keys", "geoshard router key NAME")
	return world, keys, err
}

// run listens, and reads the files again when they change.
func (s *routerServe) run(ctx context.Context, gate *gateway.Gateway, admin gateway.AdminOptions, log *slog.Logger) error {
	o := gateway.ServeOptions{TLS: gateway.TLSFiles{Certificate: s.Certificate, Key: s.Key, Authorities: s.Authorities}, H2C: s.H2C, Connections: s.Connections, Drain: s.Drain}
	var listen net.ListenConfig
	var err error
	if o.Listener, err = listen.Listen(ctx, "tcp", s.Listen); err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	defer o.Listener.Close()
	adminAddress := "none"
	if s.AdminListen != "" {
		if o.AdminListener, err = listen.Listen(ctx, "tcp", s.AdminListen); err != nil {
			return fmt.Errorf("listen for administrators: %w", err)
		}
		defer o.AdminListener.Close()
		o.Admin, adminAddress = gate.Admin(admin), o.AdminListener.Addr().String()
	}
	server, err := gateway.NewServer(gate, o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, gate, server) }()
	log.Info("serving", "datacenter", s.DC, "address", o.Listener.Addr().String(), "admin", adminAddress, "tls", s.Certificate != "", "cluster", s.gateway.Client != nil)
	err = server.Serve(ctx)
	stop()
	return errors.Join(err, <-watched)
}

func (s *routerServe) watch(ctx context.Context, gate *gateway.Gateway, server *gateway.Server) error {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	files := []string{s.File, s.CookieKeys, s.Certificate, s.Key, s.Authorities, s.UpstreamCertificate, s.UpstreamKey, s.UpstreamAuthorities}
	files = slices.DeleteFunc(files, func(file string) bool { return file == "" })
	return gateway.WatchFiles(ctx, files, hangUp, func() {
		world, keys, err := s.read()
		if err == nil {
			err = server.ReloadTLS()
		}
		if err != nil {
			gate.Reloaded(err)
			return
		}
		_ = gate.Reload(world, keys) // it tells the log, the metrics and the page
	})
}

// checkListeners refuses to be reached by strangers unless that is wanted.
func (s *routerServe) checkListeners() error {
	if s.Certificate == "" && !s.Insecure && !serve.OnThisMachine(s.Listen) {
		return hint.Errorf("give --tls-certificate-file and --tls-key-file, or --insecure if something in front has TLS", "--listen %s can be reached from other machines, and there is no TLS", s.Listen)
	}
	if s.AdminListen != "" && !serve.OnThisMachine(s.AdminListen) && !s.Insecure {
		return hint.Errorf("listen on 127.0.0.1, or give --insecure", "--admin-listen %s can be reached from other machines", s.AdminListen)
	}
	return nil
}

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
