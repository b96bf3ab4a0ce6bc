package devmongos

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// A backend is what all connections to servers have in common.
type backend struct {
	// base ends when commands have to end: after the grace of a stop.
	base context.Context
	log  *slog.Logger
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// budget is Config.FailoverBudget.
	budget time.Duration
	// guard lets the router in.
	guard guard
	clock clusterTime
}
