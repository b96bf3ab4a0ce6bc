package devmongos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Place is what the command line of mongos has no words for: where the query router stands. All fields survive a trip through JSON.
type Place struct {
	// Name and DC appear in the log.
	Name string
	DC   topology.DatacenterID
	// Core is Config.Core. Empty: the router starts one of its own, which is the mongod that PATH finds, on the port above its own.
	Core string
}

// ErrVersionAsked is returned by Main for --version and --help, after what they print.
var ErrVersionAsked = errors.New("only the version was asked for")

// Main runs a query router with the command line of mongos (those of its options by which this project starts one; args are without the program's name)
// until ctx ends. Errors: those of Run, and a command line that is not understood.
func Main(ctx context.Context, args []string, place Place) error {
	line, err := parse(args)
	if err != nil {
		return err
	}
	out := io.Writer(os.Stderr)
	if line.log != "" {
		file, err := os.OpenFile(line.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open log: %w", err)
		}
		defer func() { _ = file.Close() }() // what is lost of a log changes nothing
		out = file
	}
	cfg := line.config
	cfg.Logger, cfg.Name, cfg.DC, cfg.Core = slog.New(slog.NewTextHandler(out, nil)), place.Name, place.DC, place.Core
	if cfg.Core != "" {
		return Run(ctx, cfg)
	}
	cfg.Core = net.JoinHostPort("127.0.0.1", strconv.Itoa(line.port+1))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return runCore(ctx, line.port+1, out) })
	group.Go(func() error { return Run(ctx, cfg) })
	return group.Wait()
}

// A commandLine is that of a mongos.
type commandLine struct {
	config Config
	port   int
	log    string
}

func parse(args []string) (line commandLine, err error) {
	flags := pflag.NewFlagSet("mongos", pflag.ContinueOnError)
	c := &line.config
	flags.StringVar(&c.ConfigServers, "configdb", "", "config servers, as set/host:port,host:port")
	flags.IntVar(&line.port, "port", 27017, "port for clients")
	bind := flags.String("bind_ip", "127.0.0.1", "address for clients")
	all := flags.Bool("bind_ip_all", false, "listen on all addresses")
	flags.StringVar(&line.log, "logpath", "", "file of the log, which is appended to; without it the log goes to stderr")
	flags.StringVar(&c.KeyFile, "keyFile", "", "file of the key by which the cluster's processes know each other; clients have to log in then")
	mode := flags.String("tlsMode", "disabled", "disabled or requireTLS")
	flags.StringVar(&c.CAFile, "tlsCAFile", "", "certificates of the authorities of the members' certificates")
	flags.StringVar(&c.CertificateKeyFile, "tlsCertificateKeyFile", "", "the router's certificate and key")
	version := flags.Bool("version", false, "say what this is")
	for _, same := range []string{"logappend", "nounixsocket", "tlsAllowConnectionsWithoutCertificates"} {
		flags.Bool(same, false, "taken as mongos takes it; this is so in any case")
	}
	flags.StringArray("setParameter", nil, "taken as mongos takes it, and ignored")
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return line, ErrVersionAsked
	case err != nil:
		return line, hint.New(fmt.Errorf("read the command line: %w", err), "--help names the options of mongos that the development query router takes")
	}
	switch {
	case *version:
		fmt.Println("mongos: the development query router of geoshard, not MongoDB's mongos")
		return line, ErrVersionAsked
	case c.ConfigServers == "":
		return line, hint.New(errors.New("read the command line: --configdb is missing"), "give it the config servers: --configdb set/host:port,host:port")
	case *mode != "disabled" && *mode != "requireTLS":
		return line, hint.New(fmt.Errorf("read the command line: --tlsMode %s", *mode), "the development query router knows disabled and requireTLS")
	case (*mode == "requireTLS") != (c.CertificateKeyFile != "" && c.CAFile != ""):
		return line, hint.New(errors.New("read the command line: TLS takes three options"), "give --tlsMode requireTLS, --tlsCertificateKeyFile and --tlsCAFile together")
	}
	if *all {
		*bind = "0.0.0.0"
	}
	c.Listen = net.JoinHostPort(*bind, strconv.Itoa(line.port))
	return line, nil
}

// CoreArguments are those of a core beside what every mongod of a cluster has.
func CoreArguments() []string {
	return []string{
		// It measures its way to each member every second, not every 10 s: it chooses by an average of them, in which what it measured on the busy machine that starts a cluster stays long.
		"--setParameter", "heartBeatFrequencyMs=1000",
		// A member that keeps its connections open and answers nothing makes who needs a new connection to it wait for 5 s, not for 20; the read is repeated then, on the
		// next primary (core.patient). It is longer than a TLS handshake and a login over the slowest link.
		"--setParameter", "ShardingTaskExecutorPoolRefreshTimeoutMS=5000",
	}
}

// coreData is where a core of the router's own keeps what little it has.
const coreData = "/data/core"

// runCore runs the core until ctx ends; that it ends by itself is an error.
func runCore(ctx context.Context, port int, log io.Writer) error {
	if err := os.MkdirAll(filepath.FromSlash(coreData), 0o700); err != nil {
		return fmt.Errorf("make the core's directory: %w", err)
	}
	cmd := exec.CommandContext(ctx, "mongod", append(CoreArguments(), "--shardsvr", "--replSet", "router", "--bind_ip", "127.0.0.1", "--port", strconv.Itoa(port),
		"--dbpath", coreData, "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16", "--nounixsocket", "--quiet",
		"--setParameter", "diagnosticDataCollectionEnabled=false")...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = defaultStopGrace + defaultStopGrace // longer than the router's own
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the core: %w", err)
	}
	_ = cmd.Wait() // the state says how it ended
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the core, a mongod, ended by itself (%v): see its log above", cmd.ProcessState)
}
