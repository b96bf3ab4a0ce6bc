package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
)

// A Member is one process of a cluster, as its provider gives it.
type Member interface {
	// Node is its place in the layout.
	Node() layout.Node
	// Advertised is the address by which the other members know it.
	Advertised() string
	// Running tells that its process runs and is not paused.
	Running() bool
	// Run runs a command on the admin database of exactly this process, past the emulated network. into may be nil.
	Run(ctx context.Context, command bson.D, into any) error
}

// A Hello is the part of the server's greeting that says what it is.
type Hello struct {
	Primary   bool `bson:"isWritablePrimary"`
	Secondary bool `bson:"secondary"`
	Arbiter   bool `bson:"arbiterOnly"`
	// Msg is "isdbgrid" for a query router.
	Msg string `bson:"msg"`
}

// Works tells that a member does its work: routes, takes writes, copies them or votes.
func (h Hello) Works() bool { return h.Routes() || h.Primary || h.Secondary || h.Arbiter }

// Routes tells that it is a query router.
func (h Hello) Routes() bool { return h.Msg == "isdbgrid" }

// Greet says hello to a member.
func Greet(ctx context.Context, m Member) (Hello, error) {
	var h Hello
	err := m.Run(ctx, bson.D{{Key: "hello", Value: 1}}, &h)
	return h, err
}

// passingCodes are what servers answer while a primary steps down, up or is looked for.
var passingCodes = []int{
	6, 7, 89, // HostUnreachable, HostNotFound, NetworkTimeout
	91, 189, 11600, 11602, // ShutdownInProgress, PrimarySteppedDown, InterruptedAtShutdown, InterruptedDueToReplStateChange
	133,                 // FailedToSatisfyReadPreference: no primary yet
	10107, 13435, 13436, // NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary
}

// Passing tells that an error is of the kind that a repetition gets over.
func Passing(err error) bool {
	var answer mongo.ServerError
	if errors.As(err, &answer) {
		return slices.ContainsFunc(passingCodes, answer.HasErrorCode)
	}
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err)
}

const codeAlreadyInitialized = 23

// initiated tells that an earlier attempt to initiate a set was carried out.
func initiated(err error) bool {
	var answer mongo.ServerError
	return errors.As(err, &answer) && answer.HasErrorCode(codeAlreadyInitialized)
}

const codeOperationFailed = 96

// wrapped tells that the config servers failed in what they asked of a shard, such as of one that changed its primary at that moment: they do not pass its own code on.
func wrapped(err error) bool {
	var answer mongo.ServerError
	return errors.As(err, &answer) && answer.HasErrorCode(codeOperationFailed)
}

// majorityByDefault is the command that states the cluster's default write concern. Where it is not stated addShard refuses shards whose own default would be w: 1, as sets
// with arbiters have it.
func majorityByDefault() bson.D {
	majority := bson.D{{Key: "w", Value: "majority"}}
	return bson.D{{Key: "setDefaultRWConcern", Value: 1}, {Key: "defaultWriteConcern", Value: majority}, {Key: "writeConcern", Value: majority}}
}

// Persist repeats an idempotent command while a set that has just been formed changes its mind about its primary. ended says why the member's process has ended, and is nil
// while it lives.
func Persist[M Member](ctx context.Context, m M, command bson.D, ended func(context.Context, M) error) error {
	var last error
	err := Await(ctx, LookEvery, fmt.Sprintf("run %s on %s", command[0].Key, m.Node().Name), func() (bool, error) {
		if last = m.Run(ctx, command, nil); Passing(last) {
			return false, ended(ctx, m)
		}
		return true, last
	})
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, last)
	}
	return err
}

// AwaitHello waits until a member greets as wanted; that its process ends meanwhile is an error which says why (see Persist).
func AwaitHello[M Member](ctx context.Context, m M, what string, wanted func(Hello) bool, ended func(context.Context, M) error) error {
	return Await(ctx, LookEvery, fmt.Sprintf("wait for %s to %s", m.Node().Name, what), func() (bool, error) {
		h, err := Greet(ctx, m)
		if err != nil {
			return false, ended(ctx, m)
		}
		return wanted(h), nil
	})
}

// Hosts lists the advertised addresses of a replica set's members.
func Hosts[M Member](members []M, set string) string {
	var hosts []string
	for _, m := range members {
		if m.Node().Set == set {
			hosts = append(hosts, m.Advertised())
		}
	}
	return strings.Join(hosts, ",")
}

// LookEvery is how often a state is looked at while something waits for it.
const LookEvery = 50 * time.Millisecond

// Await calls look every so often until it is done, fails, or ctx ends.
func Await(ctx context.Context, every time.Duration, what string, look func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		done, err := look()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// declared are the roles that a member keeps whatever it does inside its set.
var declared = map[layout.Kind]cluster.Role{
	layout.Arbiter: cluster.RoleArbiter, layout.Config: cluster.RoleConfig, layout.Router: cluster.RoleRouter, layout.Core: cluster.RoleRouterCore,
}
