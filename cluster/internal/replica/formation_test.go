package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/passing"
)

// A played is a member that answers as a test says.
type played struct {
	node   layout.Node
	answer func(command bson.D) (bson.D, error)
	down   bool  // as the provider knows
	ended  error // by itself, which the provider is asked for
}

func (m *played) Node() layout.Node  { return m.node }
func (m *played) Advertised() string { return m.node.Name + ":1" }
func (m *played) Running() bool      { return !m.down }

func (m *played) Ended(context.Context) error { return m.ended }

func (m *played) Run(_ context.Context, command bson.D, into any) error {
	answer, err := m.answer(command)
	if err != nil || into == nil {
		return err
	}
	encoded, err := bson.Marshal(answer)
	if err != nil {
		return err
	}
	return bson.Unmarshal(encoded, into)
}

// A config server that takes over while it carries an addShard out must not get another one: it has been seen to end of it (invariant balancerConfig).
func TestAddShardIsSentAgainOnlyWhenNoneIsUnderWay(t *testing.T) {
	for name, first := range map[string]error{
		"the router lost its way to the config servers": mongo.CommandError{Code: 6, Name: "HostUnreachable"},
		"the way to the router broke":                   mongo.CommandError{Message: "connection() error", Labels: []string{"NetworkError"}},
		"the shard changed its primary":                 mongo.CommandError{Code: codeOperationFailed, Name: "OperationFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, underWay := 0, 2 // an interrupted start has left one, which takes two looks
				config := &played{node: layout.Node{Name: "config/B", Kind: layout.Config, Set: "config"}, answer: func(command bson.D) (bson.D, error) {
					operations := bson.A{bson.D{{Key: "command", Value: bson.D{{Key: "hello", Value: 1}}}}, bson.D{{Key: "opid", Value: 7}}}
					if command[0].Key != "aggregate" {
						return nil, fmt.Errorf("unexpected %s", command[0].Key)
					}
					if underWay > 0 {
						underWay--
						operations = append(operations, bson.D{{Key: "command", Value: bson.D{{Key: "_config" + "svrAddShard", Value: "s/s/A:1"}}}})
					}
					return bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: operations}}}}, nil
				}}
				idle := &played{node: layout.Node{Name: "config/A", Kind: layout.Config, Set: "config"}, answer: func(bson.D) (bson.D, error) {
					return bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: bson.A{}}}}}, nil
				}}
				router := &played{node: layout.Node{Name: "router/A", Kind: layout.Router}, answer: func(command bson.D) (bson.D, error) {
					if command[0].Key == "hello" {
						return bson.D{{Key: "msg", Value: "isdbgrid"}}, nil
					}
					if underWay > 0 {
						t.Errorf("addShard was sent while another one was under way")
					}
					if sent++; sent == 1 {
						underWay = 3
						return nil, first
					}
					return nil, nil
				}}
				home := &played{node: layout.Node{Name: "s/A", Kind: layout.Data, Set: "s", Home: true}, answer: func(bson.D) (bson.D, error) {
					return bson.D{{Key: "isWritablePrimary", Value: true}}, nil
				}}
				f := &Formation[*played]{
					Old: []*played{idle, config, router}, Fresh: []*played{home}, routing: make(milestone),
					Report: t.Logf,
				}
				close(f.routing)
				if err := f.addShard(t.Context(), "s", []*played{home}); err != nil || sent != 2 {
					t.Errorf("got %v after %d times, want nil after 2", err, sent)
				}
			})
		})
	}
}

// Config servers that do not run have nothing under way: a cluster grows without them.
func TestAddShardWaitsForNoDeadConfigServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		silent := func(bson.D) (bson.D, error) {
			asked++
			return nil, mongo.CommandError{Labels: []string{"NetworkError"}}
		}
		config := func(name string) layout.Node { return layout.Node{Name: name, Kind: layout.Config, Set: "config"} }
		killed := &played{node: config("config/A"), answer: silent, down: true}
		crashed := &played{node: config("config/B"), answer: silent, ended: errors.New("exit status 14")}
		busy := &played{node: config("config/C"), answer: func(bson.D) (bson.D, error) {
			if asked++; asked < 4 {
				return nil, mongo.CommandError{Code: 13436, Name: "NotPrimaryOrSecondary"}
			}
			return bson.D{{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: bson.A{}}}}}, nil
		}}
		f := &Formation[*played]{Old: []*played{killed, crashed, busy}}
		if err := f.awaitNoneAdded(t.Context()); err != nil || asked != 4 {
			t.Errorf("got %v after %d questions, want nil after 4: one to the crashed one, three to the busy one", err, asked)
		}
	})
}

// Who is refused is refused the next time as well: the wait ends at once, and says by whom and why.
func TestAWaitEndsWithARefusal(t *testing.T) {
	router := layout.Node{Name: "router/A", Kind: layout.Router}
	for _, refusal := range []mongo.CommandError{
		{Code: 13, Name: "Unauthorized", Message: "command hello requires authentication"},
		{Code: 18, Name: "AuthenticationFailed", Message: "Authentication failed."},
		{Code: 20, Name: "IllegalOperation", Message: "Can't use 'local' database through mongos"},
	} {
		asked := 0
		refuses := func(bson.D) (bson.D, error) {
			if asked++; asked > 3 {
				return bson.D{{Key: "msg", Value: "isdbgrid"}}, nil
			}
			return nil, fmt.Errorf("run on router/A: %w", refusal)
		}
		config := layout.Node{Name: "config/A", Kind: layout.Config, Set: "config"}
		for what, wait := range map[string]func(context.Context) error{
			"hello": func(ctx context.Context) error {
				return AwaitHello(ctx, &played{node: router, answer: refuses}, "route", Hello.Routes)
			},
			"none added": func(ctx context.Context) error {
				f := &Formation[*played]{Old: []*played{{node: config, answer: refuses}}}
				return f.awaitNoneAdded(ctx)
			},
			"reconfigure": func(ctx context.Context) error {
				return reconfigure(ctx, []*played{{node: config, answer: refuses}}, config, "config/A:1", added)
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				asked = 0
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := wait(ctx)
				if !passing.HasCode(err, int(refusal.Code)) || !strings.Contains(err.Error(), refusal.Message) || hint.Of(err) == "" || asked != 1 {
					t.Errorf("%s, code %d: got %v (hint %q) after %d questions, want the refusal after one", what, refusal.Code, err, hint.Of(err), asked)
				}
			})
		}
	}
}

// A wait that runs out of time tells what it was told last, also where other steps waited for this
// one.
func TestAWaitTellsItsLastError(t *testing.T) {
	silent := errors.New("server selection timeout")
	node := layout.Node{Name: "router/A", Kind: layout.Router}
	config := layout.Node{Name: "config/A", Kind: layout.Config, Set: "config"}
	member := func(n layout.Node) *played {
		return &played{node: n, answer: func(bson.D) (bson.D, error) { return nil, silent }}
	}
	for what, wait := range map[string]func(context.Context) error{
		"hello": func(ctx context.Context) error { return AwaitHello(ctx, member(node), "route", Hello.Routes) },
		"none added": func(ctx context.Context) error {
			f := &Formation[*played]{Old: []*played{member(config)}}
			return f.awaitNoneAdded(ctx)
		},
		"reconfigure": func(ctx context.Context) error {
			return reconfigure(ctx, []*played{member(config)}, config, "config/A:1", added)
		},
		"a whole formation": func(ctx context.Context) error {
			f := &Formation[*played]{
				Old: []*played{member(config)}, Fresh: []*played{member(node), member(layout.Node{Name: "s/A", Kind: layout.Data, Set: "s", Home: true})},
				Launch: func(ctx context.Context, m *played) error {
					if m.node.Kind == layout.Data {
						<-ctx.Done() // its set waits for it
					}
					return context.Cause(ctx)
				},
				Report: t.Logf,
			}
			return f.Run(ctx)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := wait(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, silent) {
				t.Errorf("%s: got %v, want the end of the time and what was told last", what, err)
			}
		})
	}
}

// What a repetition gets over is told by the server's codes, or by the driver, which makes a command's error of a broken connection too.
func TestPassing(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{mongo.CommandError{Code: 10107, Name: "NotWritablePrimary"}, true},
		{fmt.Errorf("run: %w", mongo.CommandError{Code: 91, Name: "ShutdownInProgress"}), true},
		{mongo.CommandError{Code: 414, Name: "AddOrRemoveShardInProgress"}, true}, // by source, not recorded: addShard of 8.2
		{mongo.CommandError{Code: 96, Name: "OperationFailed"}, false},
		{mongo.CommandError{Message: "connection() error", Labels: []string{"NetworkError"}}, true},
		{fmt.Errorf("run: %w", mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: context.DeadlineExceeded}), true},
		{mongo.CommandError{Code: 50, Name: "MaxTimeMSExpired"}, false},
		{context.DeadlineExceeded, true},
		{context.Canceled, false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("%v: got %v, want %v", c.err, got, c.want)
		}
	}
}
