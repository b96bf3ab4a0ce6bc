package local

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
)

// command runs a command on the admin database of exactly this process, through its real port: the control plane feels
// no WAN.
func (p *process) command(ctx context.Context, command bson.D, into any) error {
	client, err := p.directClient()
	if err != nil {
		return err
	}
	result := client.Database("admin").RunCommand(ctx, command)
	if into == nil {
		err = result.Err()
	} else {
		err = result.Decode(into)
	}
	if err != nil {
		return fmt.Errorf("run %s on %s: %w", command[0].Key, p.Name, err)
	}
	return nil
}

func (p *process) directClient() (*mongo.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil {
		return p.client, nil
	}
	o := options.Client().ApplyURI((*security)(nil).uri(loopback(p.port), true, false)).
		SetAppName("geoshard-supervisor").
		SetMaxPoolSize(4).
		// The supervisor knows from the process table who lives; the driver need not ask often, nor keep a stream open.
		SetServerMonitoringMode("poll").
		SetHeartbeatInterval(10 * time.Second).
		SetServerSelectionTimeout(2 * time.Second).
		// A login takes a second of a busy machine; who does not answer is known by the server selection.
		SetConnectTimeout(10 * time.Second)
	if p.Kind == kindRouter {
		o.SetDirect(false)
	}
	p.security.admitSupervisor(o)
	client, err := mongo.Connect(o)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", p.Name, err)
	}
	p.client = client
	return client, nil
}

// disconnect drops the client, so that the next command starts afresh: after a restart the driver would otherwise
// believe for up to its heartbeat interval that the member is gone.
func (p *process) disconnect(ctx context.Context) {
	p.mu.Lock()
	client := p.client
	p.client = nil
	p.mu.Unlock()
	if client != nil {
		_ = client.Disconnect(ctx)
	}
}

var _ replica.Member = (*process)(nil)

// Node is the process's place in the layout.
func (p *process) Node() layout.Node { return p.node }

// Advertised is the address by which the others know the process.
func (p *process) Advertised() string { return p.advertised() }

// Running tells that the process runs and is not paused.
func (p *process) Running() bool { return p.current().alive() && !p.paused() }

// Run runs a command on the process, past the emulated network.
func (p *process) Run(ctx context.Context, command bson.D, into any) error {
	return p.command(ctx, command, into)
}
