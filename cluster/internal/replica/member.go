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
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/internal/passing"
)

// A Member is one process of a cluster, as its provider gives it.
type Member interface {
	// Node is its place in the layout.
	Node() layout.Node
	// Advertised is the address by which the other members know it.
	Advertised() string
	// Running tells that its process runs and is not paused.
	Running() bool
	// Ended says why its process has ended, and is nil while it lives.
	Ended(ctx context.Context) error
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

func (h Hello) leads() bool { return h.Primary }

// Routes tells that it is a query router.
func (h Hello) Routes() bool { return h.Msg == "isdbgrid" }

// Greet says hello to a member.
func Greet(ctx context.Context, m Member) (Hello, error) {
	var h Hello
	err := m.Run(ctx, bson.D{{Key: "hello", Value: 1}}, &h)
	return h, err
}

// firstThat is the first running member of some kinds that greets as wanted. Where there is none,
// the error has what the others said.
func firstThat[M Member](ctx context.Context, members []M, wanted func(Hello) bool, kinds ...layout.Kind) (first M, _ error) {
	none := errors.New("none that runs is one")
	for _, m := range members {
		if !slices.Contains(kinds, m.Node().Kind) || !m.Running() {
			continue
		}
		h, err := Greet(ctx, m)
		if err == nil && wanted(h) {
			return m, nil
		}
		if err != nil {
			none = fmt.Errorf("%w; %w", none, err)
		}
	}
	return first, none
}

// Passing tells that an error is of the kind that a repetition gets over. A broken connection may look like a server's answer without a code; a server that says
// itself that its time was over may have done the work all the same.
func Passing(err error) bool {
	answered := errors.As(err, new(mongo.ServerError))
	return passing.Answer(err) || mongo.IsNetworkError(err) || mongo.IsTimeout(err) && !answered
}

// refusals are what servers answer when the supervisor may not do what it asks: Unauthorized,
// AuthenticationFailed, and IllegalOperation, with which a mongos refuses the database local
// (s/commands/strategy.cpp). No repetition gets over them.
var refusals = []int{13, 18, 20}

// Persist repeats an idempotent command while a set that has just been formed changes its mind about its primary. That the member's process ends meanwhile is an
// error which says why.
func Persist(ctx context.Context, m Member, command bson.D) error {
	return Await(ctx, LookEvery, fmt.Sprintf("run %s on %s", command[0].Key, m.Node().Name), func(last *error) (bool, error) {
		if *last = m.Run(ctx, command, nil); Passing(*last) {
			return false, m.Ended(ctx)
		}
		return true, *last
	})
}

// AwaitHello waits until a member greets as wanted; that its process ends meanwhile is an error which says why (see Persist).
func AwaitHello(ctx context.Context, m Member, what string, wanted func(Hello) bool) error {
	return Await(ctx, LookEvery, fmt.Sprintf("wait for %s to %s", m.Node().Name, what), func(last *error) (bool, error) {
		var h Hello
		if h, *last = Greet(ctx, m); *last != nil {
			return false, m.Ended(ctx)
		}
		return wanted(h), nil
	})
}

// ConfigServers names the config set in the form that routers take: "config/host:port,host:port".
func ConfigServers[M Member](members []M) string { return named(members, cluster.ConfigSet) }

// named is a replica set with the advertised addresses of those of its members.
func named[M Member](members []M, set string) string {
	var hosts []string
	for _, m := range members {
		if m.Node().Set == set {
			hosts = append(hosts, m.Advertised())
		}
	}
	return set + "/" + strings.Join(hosts, ",")
}

// LookEvery is how often a state is looked at while something waits for it.
const LookEvery = 50 * time.Millisecond

// Await calls look every so often until it is done, fails, or ctx ends. What a look got that
// another one may get over goes to last: a refusal ends the wait even so, and the end of ctx comes
// with the last of them.
func Await(ctx context.Context, every time.Duration, what string, look func(last *error) (bool, error)) error {
	var last error
	for {
		var got error
		done, err := look(&got)
		switch {
		case done || err != nil:
			return err
		case passing.HasCode(got, refusals...):
			return hint.New(fmt.Errorf("%s: %w", what, got), "the log of that server says whom it refused; "+
				"a server that refuses its own cluster is a fault of geoshard: please report it")
		case ctx.Err() == nil: // else it was ctx that got in the way
			last = got
		}
		if !pace.Pause(ctx, every) {
			err = fmt.Errorf("%s: %w", what, context.Cause(ctx))
			if last != nil {
				err = fmt.Errorf("%w; the last attempt: %w", err, last)
			}
			return err
		}
	}
}

// declared are the roles that a member keeps whatever it does inside its set.
var declared = map[layout.Kind]cluster.Role{
	layout.Arbiter: cluster.RoleArbiter, layout.Config: cluster.RoleConfig, layout.Router: cluster.RoleRouter, layout.Core: cluster.RoleRouterCore,
}
