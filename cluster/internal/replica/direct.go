package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/internal/layout"
)

// A Direct is a client of exactly one process, past the emulated network. It is made when it is first needed.
type Direct struct {
	mu     sync.Mutex
	client *mongo.Client // guarded by mu
}

// Run runs a command on the admin database of a node's process; into may be nil. Of says how the process is reached now.
func (d *Direct) Run(ctx context.Context, n layout.Node, of func() *options.ClientOptions, command bson.D, into any) error {
	c, err := d.connected(n, of)
	if err != nil {
		return err
	}
	result := c.Database("admin").RunCommand(ctx, command)
	if into == nil {
		err = result.Err()
	} else {
		err = result.Decode(into)
	}
	if err != nil {
		return fmt.Errorf("run %s on %s: %w", command[0].Key, n.Name, err)
	}
	return nil
}

func (d *Direct) connected(n layout.Node, of func() *options.ClientOptions) (*mongo.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		return d.client, nil
	}
	c, err := mongo.Connect(of().
		SetDirect(n.Kind != layout.Router).
		SetAppName("geoshard-supervisor").
		SetMaxPoolSize(4).
		// The provider knows who lives; the driver need not ask often, nor keep a stream open.
		SetServerMonitoringMode("poll").
		SetHeartbeatInterval(10 * time.Second).
		SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", n.Name, err)
	}
	d.client = c
	return c, nil
}

// Disconnect drops the client, so that the next command starts afresh: after a restart the driver would otherwise believe for up to its heartbeat interval that the
// process is gone.
func (d *Direct) Disconnect(ctx context.Context) {
	d.mu.Lock()
	c := d.client
	d.client = nil
	d.mu.Unlock()
	if c != nil {
		_ = c.Disconnect(ctx)
	}
}
