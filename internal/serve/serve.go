package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Server is an HTTP server and where it answers. One with a TLSConfig speaks TLS alone.
type Server struct {
	*http.Server
	On net.Listener
}

// Run answers until the context ends or a server fails. Then it ends one server after the other: the requests under way may take as long as drain, all together,
// and what is left is broken off, with ErrUnfinished.
func Run(ctx context.Context, drain time.Duration, servers ...Server) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range servers {
		group.Go(s.answer)
	}
	group.Go(func() error {
		<-ctx.Done()
		return end(context.WithoutCancel(ctx), drain, servers)
	})
	return group.Wait()
}

func (s Server) answer() error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(s.On, "", "") // the configuration has the certificate
	} else {
		err = s.Serve(s.On)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func end(ctx context.Context, within time.Duration, servers []Server) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var errs []error
	for _, s := range servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%w within %s: %w", ErrUnfinished, within, err), s.Close())
		}
	}
	return errors.Join(errs...)
}

// OnThisMachine reports whether an address to listen on, HOST:PORT, is reached from this machine alone.
func OnThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
