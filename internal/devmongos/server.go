package devmongos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// serve accepts clients until ctx ends, then lets the commands that are running finish within the grace; cancelCommands ends
// those that do not.
func (r *router) serve(ctx context.Context, cancelCommands context.CancelFunc, listener net.Listener) error {
	stopListening := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stopListening()
	var clients sync.WaitGroup
	err := r.accept(ctx, listener, &clients)
	_ = listener.Close()

	finished := make(chan struct{})
	go func() { clients.Wait(); close(finished) }()
	if err == nil {
		select {
		case <-finished:
		case <-time.After(r.cfg.StopGrace):
			r.log.Info("commands still running at the end of the grace are cut off")
		}
	}
	cancelCommands()
	<-finished
	r.log.Info("stopped")
	return err
}

// accept returns nil when ctx ends.
func (r *router) accept(ctx context.Context, listener net.Listener, clients *sync.WaitGroup) error {
	for {
		nc, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if nc != nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept clients: %w", err)
		case err != nil:
			// Most likely too many open files: clients that leave make room.
			r.log.Warn("accept client", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if r.clients.Add(1) > int64(r.cfg.MaxConnections) {
			r.clients.Add(-1)
			r.log.Warn("client turned away: too many connections", "limit", r.cfg.MaxConnections)
			_ = nc.Close()
			continue
		}
		clients.Go(func() {
			defer r.clients.Add(-1)
			newClient(r, nc).serve(ctx)
		})
	}
}
