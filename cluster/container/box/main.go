// Command box is the network between the datacenters of a cluster in containers. Package container builds it, copies it into a container of
// its own and starts it there; it is of no use elsewhere.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/geoshard/geoshard/cluster/container/internal/box"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := box.Run(ctx, os.Args[1:]); err != nil {
		slog.Error("the network ends", "error", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
