package clustertest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
)

// A set is a shard in memory: some looks after its primary was killed the next member is primary.
type set struct {
	cluster.Stopper // nil: only what is below is called
	mu              sync.Mutex
	members         []cluster.Member // guarded by mu
	looks           int              // guarded by mu; until the election
	calls           []string         // guarded by mu
}

func newSet() *set {
	s := &set{}
	for i, name := range []string{"s/A", "s/B", "s/C"} {
		m := cluster.Member{Name: name, Shard: "s", Role: cluster.RoleSecondary, State: cluster.StateUp, Home: i == 0}
		if i == 0 {
			m.Role = cluster.RolePrimary
		}
		s.members = append(s.members, m)
	}
	return s
}

func (s *set) Status(context.Context) (cluster.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks > 0 {
		if s.looks--; s.looks == 0 {
			s.members[1].Role = cluster.RolePrimary
		}
		if s.looks == 1 {
			return cluster.Status{}, errors.New("a look that failed")
		}
	}
	return cluster.Status{Members: slices.Clone(s.members)}, nil
}

func (s *set) Kill(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "kill "+name)
	for i := range s.members {
		if s.members[i].Name == name {
			s.members[i].State, s.looks = cluster.StateDown, 4
		}
	}
	return nil
}

func (s *set) Start(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "start "+name)
	if len(s.calls) == 2 {
		return errors.New("it gave up")
	}
	return nil
}

// The one that was killed is the primary, and the one that is waited for is another, although the dead one is still told as primary.
func TestKillPrimaryWaitsForAnother(t *testing.T) {
	s := newSet()
	killed, elected := clustertest.KillPrimary(t, s, "s")
	if killed.Name != "s/A" || elected.Name != "s/B" {
		t.Errorf("killed %s, elected %s, want s/A and s/B", killed.Name, elected.Name)
	}
	clustertest.Revive(t, s, "router/A", killed.Name)
	if want := []string{"kill s/A", "start s/A", "start s/A", "start router/A"}; !slices.Equal(s.calls, want) {
		t.Errorf("got %v, want %v", s.calls, want)
	}
}
