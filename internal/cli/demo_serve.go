package cli

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/internal/demo/dashboard"
	"github.com/geoshard/geoshard/internal/serve"
)

// defaultDashboard is on this machine alone.
const defaultDashboard = "127.0.0.1:8090"

// demoServeFlags are the flags of demo --serve.
type demoServeFlags struct {
	Serve    bool   `flag:"serve" usage:"open the dashboard, and keep everything running until Ctrl-C"`
	NoStory  bool   `flag:"no-story" usage:"with --serve: play no story, the buttons are yours at once"`
	Listen   string `flag:"listen" usage:"with --serve: address of the dashboard"`
	Insecure bool   `flag:"insecure" usage:"with --serve: let the dashboard listen beyond this machine, without TLS"`
}

// bind opens the dashboard's address before the cluster is started: a port that is taken is told at once. Without --serve there is none.
func (f *demoServeFlags) bind(ctx context.Context) (net.Listener, error) {
	if !f.Serve {
		if f.NoStory {
			return nil, hint.New(errors.New("--no-story leaves nothing to do"), "give --serve with it")
		}
		return nil, nil
	}
	if _, _, err := net.SplitHostPort(f.Listen); err != nil {
		return nil, hint.New(fmt.Errorf("listen: %w", err), "an address is written HOST:PORT, for example "+defaultDashboard)
	}
	if !f.Insecure && !serve.OnThisMachine(f.Listen) {
		return nil, hint.New(fmt.Errorf("%s can be reached from other machines, and the dashboard has no TLS", f.Listen),
			"leave --listen at an address of this machine, or give --insecure if something in front has TLS")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.Listen)
	if err != nil {
		return nil, hint.New(fmt.Errorf("listen: %w", err), "choose another address by --listen; port 0 is any free one")
	}
	return listener, nil
}

// A demoPage is a dashboard that is served beside the story; nil where there is none.
type demoPage struct {
	dashboard *dashboard.Dashboard
	stop      context.CancelFunc
	served    chan error
}

// openDashboard serves a world's dashboard and says where. While the story measures, the page sends no traffic of its own.
func (e *environment) openDashboard(ctx context.Context, world *demo.World, listener net.Listener) (*demoPage, error) {
	if listener == nil {
		return nil, nil
	}
	token := dashboard.NewToken()
	d, err := dashboard.New(dashboard.Options{World: world, Token: token, Keys: world.Tokens(), Quiet: true})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	p := &demoPage{dashboard: d, stop: stop, served: make(chan error, 1)}
	go func() { p.served <- dashboard.Serve(ctx, d, listener) }()
	_, err = fmt.Fprintf(e.stderr, "dashboard: http://%s/#token=%s\n", listener.Addr(), token)
	return p, err
}

// stay keeps the page open until the context ends.
func (p *demoPage) stay(ctx context.Context, e *environment) error {
	if p == nil {
		return nil
	}
	p.dashboard.Steady(true)
	e.say("the dashboard stays open; Ctrl-C ends it, and everything with it")
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.served:
		p.served <- nil // close waits for it
		if err != nil {
			return fmt.Errorf("serve the dashboard: %w", err)
		}
		return nil
	}
}

// close ends the page, before the world that it shows.
func (p *demoPage) close() {
	if p != nil {
		p.stop()
		<-p.served
	}
}
