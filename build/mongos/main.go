// Command mongos is what the local container image carries under that name where there is no mongos of MongoDB: the development query
// router, with the mongod that it needs as its core. It takes the few options of mongos that the cluster in containers uses.
//
// It is for the images that scripts/image.sh makes, and runs the image's own mongod, which has to be 6.0.x.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/internal/devmongos"
)

// coreData is where the core keeps what little it has.
const coreData = "/data/core"

// stopGrace is how long the core may take to end in order.
const stopGrace = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mongos (devmongos):", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}

func run(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("mongos", pflag.ContinueOnError)
	config := flags.String("configdb", "", "config servers, as set/host:port,host:port")
	port := flags.Int("port", 27017, "port for clients")
	bind := flags.String("bind_ip", "127.0.0.1", "address for clients")
	all := flags.Bool("bind_ip_all", false, "listen on all addresses")
	flags.StringArray("setParameter", nil, "taken for compatibility, and ignored")
	version := flags.Bool("version", false, "say what this is")
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *version:
		fmt.Println("mongos: the development query router of geoshard, not MongoDB's mongos")
		return nil
	case *config == "":
		return errors.New("--configdb is missing")
	}
	if *all {
		*bind = "0.0.0.0"
	}
	core := net.JoinHostPort("127.0.0.1", strconv.Itoa(*port+1))
	if err := os.MkdirAll(coreData, 0o700); err != nil {
		return fmt.Errorf("make the core's directory: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return runCore(ctx, *port+1) })
	group.Go(func() error {
		return devmongos.Run(ctx, devmongos.Config{
			Listen: net.JoinHostPort(*bind, strconv.Itoa(*port)), ConfigServers: *config, Core: core,
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		})
	})
	return group.Wait()
}

// runCore runs the core until ctx ends; that it ends by itself is an error.
func runCore(ctx context.Context, port int) error {
	cmd := exec.CommandContext(ctx, "mongod", "--shardsvr", "--replSet", "router", "--bind_ip", "127.0.0.1", "--port", strconv.Itoa(port),
		"--dbpath", coreData, "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16", "--nounixsocket", "--quiet",
		"--setParameter", "diagnosticDataCollectionEnabled=false")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	cmd.Stdout = os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the core: %w", err)
	}
	_ = cmd.Wait() // the state says how it ended
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("the core, a mongod, ended by itself (%v): see its log above", cmd.ProcessState)
}
