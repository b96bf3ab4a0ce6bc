package replica

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
)

// A told is a member that only says where it copies from; what members do in earnest, the providers' suites look at.
type told struct {
	node   layout.Node
	source string
	heard  []string
}

func (m *told) Node() layout.Node  { return m.node }
func (m *told) Advertised() string { return m.node.Name + ":1" }
func (m *told) Running() bool      { return true }

func (m *told) Ended(context.Context) error { return nil }

func (m *told) Run(_ context.Context, command bson.D, into any) error {
	m.heard = append(m.heard, command[0].Key)
	switch command[0].Key {
	case "replSetGetStatus":
		*into.(*Status) = Status{SyncSource: m.source, Members: []Copier{{Name: "s/A:1", State: statePrimary}}}
	case "replSetSyncFrom":
		m.source = fmt.Sprint(command[0].Value)
	}
	return nil
}

func data(name string) *told {
	return &told{node: layout.Node{Name: name, Set: "s", Kind: layout.Data}}
}

// A lag is one member's alone: who copies from it is moved away; it grows in steps that a fetcher survives, and ends with a healed network.
func TestALagIsOneMembersAlone(t *testing.T) {
	a, b, c := data("s/A"), data("s/B"), data("s/C")
	c.source = b.Advertised()
	var delays []string
	l := &Lags{Members: []Member{a, b, c}, Delay: func(_ context.Context, member string, by time.Duration) error {
		delays = append(delays, fmt.Sprintf("%s %s", member, by))
		return nil
	}}
	if err := l.Set(t.Context(), b, 3*time.Second); err != nil {
		t.Fatal(err)
	}
	if c.source != "s/A:1" {
		t.Errorf("a member that copied from the lagging one copies from %s, want the primary", c.source)
	}
	if err := l.Set(t.Context(), b, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Set(t.Context(), b, time.Second); err != nil {
		t.Fatal(err)
	}
	if err := l.Heal(t.Context(), func() error { delays = append(delays, "healed"); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s/B 2s", "s/B 3s", "s/B 0s", "s/B 1s", "healed"}, delays); diff != "" {
		t.Errorf("delays: want -, got +:\n%s", diff)
	}
	if got := l.of("s/B"); got != 0 {
		t.Errorf("after healing: got a lag of %s", got)
	}
}

func TestOnlyMembersThatCopyLag(t *testing.T) {
	arbiter := &told{node: layout.Node{Name: "s/X", Set: "s", Kind: layout.Arbiter}}
	l := &Lags{Members: []Member{arbiter}, Delay: func(context.Context, string, time.Duration) error { return nil }}
	if err := l.Set(t.Context(), arbiter, time.Second); !errors.Is(err, cluster.ErrUnsupported) {
		t.Errorf("lag of an arbiter: got %v, want ErrUnsupported", err)
	}
	if err := l.Set(t.Context(), data("s/A"), -1); !errors.Is(err, cluster.ErrBadFault) {
		t.Errorf("negative lag: got %v, want ErrBadFault", err)
	}
}
