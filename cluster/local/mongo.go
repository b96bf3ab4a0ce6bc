package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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

// persist repeats an idempotent command while a set that has just been formed changes its mind about its primary.
func (p *process) persist(ctx context.Context, command bson.D) error {
	return poll(ctx, fmt.Sprintf("run %s on %s", command[0].Key, p.Name), func() (bool, error) {
		err := p.command(ctx, command, nil)
		if passing(err) {
			return false, unlessGone(p, err)
		}
		return true, err
	})
}

// passingCodes are what servers answer while a primary steps down, up or is looked for.
var passingCodes = []int{
	6, 7, 89, // HostUnreachable, HostNotFound, NetworkTimeout
	91, 189, 11600, 11602, // ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown, InterruptedDueToReplStateChange
	133,                 // FailedToSatisfyReadPreference: no primary yet
	10107, 13435, 13436, // NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary
}

func passing(err error) bool {
	var answer mongo.ServerError
	if errors.As(err, &answer) {
		return slices.ContainsFunc(passingCodes, answer.HasErrorCode)
	}
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err)
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
		SetConnectTimeout(2 * time.Second)
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

// A hello is the part of the server's greeting that says what it is.
type hello struct {
	Primary   bool `bson:"isWritablePrimary"`
	Secondary bool `bson:"secondary"`
	Arbiter   bool `bson:"arbiterOnly"`
	// Msg is "isdbgrid" for a query router.
	Msg string `bson:"msg"`
}

func (p *process) hello(ctx context.Context) (hello, error) {
	var h hello
	err := p.command(ctx, bson.D{{Key: "hello", Value: 1}}, &h)
	return h, err
}
