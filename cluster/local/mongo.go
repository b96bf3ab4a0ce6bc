package local

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

var _ replica.Member = (*process)(nil)

// Node is the process's place in the layout.
func (p *process) Node() layout.Node { return p.node }

// Advertised is the address by which the others know the process.
func (p *process) Advertised() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.host
}

// Running tells that the process runs and is not paused.
func (p *process) Running() bool { return p.condition().State == cluster.StateUp }

// Ended is why the process has ended, and nil while it lives.
func (p *process) Ended(context.Context) error {
	if r := p.current(); !r.alive() {
		return p.exitError(r)
	}
	return nil
}

// Run runs a command on the process, through its real port: the control plane feels no WAN.
func (p *process) Run(ctx context.Context, command bson.D, into any) error {
	return p.direct.Run(ctx, p.node, func() *options.ClientOptions {
		o := options.Client().ApplyURI("mongodb://" + loopback(p.realPort()) + "/").
			SetConnectTimeout(10 * time.Second) // a login takes a second of a busy machine; who does not answer is known by the server selection
		p.security.admitSupervisor(p.Kind, o)
		return o
	}, command, into)
}
