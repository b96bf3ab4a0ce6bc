package clustertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// within bounds each wait of the suite: several elections with their catch-up on a busy machine.
const within = 90 * time.Second

// A Provider's cluster also says each member's own URI. That of one with users has URIs with a password as well: SecretURI and SecretMemberURI.
type Provider interface {
	cluster.Cluster
	MemberURI(member string) (string, error)
}

// A suite is one cluster under test.
type suite struct {
	Provider
	// routerURI and memberURI let in: with a user's password, where the cluster has users.
	routerURI func(topology.DatacenterID) (string, error)
	memberURI func(member string) (string, error)
	// grown tells that the cluster has grown as far as it can.
	grown bool
}

// Run checks that a provider keeps the contract of cluster.Cluster. start returns a cluster that is ready; Run closes
// it.
//
// What a layout cannot show (a majority elsewhere when a datacenter is cut off, a second member to lag) is logged, not
// passed over: at least one provider has to run the suite with three datacenters. The cluster is one that was not started to grow.
func Run(t *testing.T, start func(t *testing.T) Provider) {
	t.Helper()
	run(t, &suite{Provider: start(t)})
}

// RunGrown is Run for a cluster that has grown.
func RunGrown(t *testing.T, c Provider) {
	t.Helper()
	run(t, &suite{Provider: c, grown: true})
}

func run(t *testing.T, s *suite) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	s.routerURI, s.memberURI = s.URI, s.MemberURI
	if guarded, ok := s.Provider.(interface {
		SecretURI(dc topology.DatacenterID) (string, error)
		SecretMemberURI(member string) (string, error)
	}); ok {
		s.routerURI, s.memberURI = guarded.SecretURI, guarded.SecretMemberURI
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"matrix", s.matrix},
		{"unknown names", s.unknownNames},
		{"tags and write-concern mode", s.tagsAndMode},
		{"routers write and read", s.routers},
		{"killed primary is replaced and comes home", s.killPrimary},
		{"paused member goes on", s.pause},
		{"isolated datacenter loses its primary", s.isolate},
		{"cut link is seen by the members", s.cut},
		{"lag is held and ended", s.lag},
		{"close leaves nothing", s.close},
	} {
		if !t.Run(test.name, test.run) {
			status, err := s.Status(context.Background())
			t.Logf("the cluster as it is now (%v):\n%s", err, describe(status))
			t.FailNow() // the rest would only repeat that the cluster is broken
		}
	}
}

func (s *suite) context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return ctx
}

// now is the cluster's status.
func (s *suite) now(t *testing.T) cluster.Status {
	t.Helper()
	status, err := s.Status(s.context(t))
	must(t, err)
	return status
}

// must ends a test with an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Hint is an error's hint on a line of its own, for the message of a test; empty for one that has none.
func Hint(err error) string {
	if help := hint.Of(err); help != "" {
		return "\nhint: " + help
	}
	return ""
}

func describe(s cluster.Status) string {
	var b strings.Builder
	for _, m := range s.Members {
		lag := "-"
		if m.Lag != nil {
			lag = m.Lag.String()
		}
		fmt.Fprintf(&b, "%-12s %-14s %-11s lag %-6s pid %d %s\n", m.Name, m.Role, m.State, lag, m.PID, m.Detail)
	}
	return b.String() + strings.Join(s.Faults, "; ")
}

// home returns the home member of a shard, and another one that holds data ("" when there is none).
func (s *suite) home(t *testing.T, shard topology.ShardID) (home, other string) {
	t.Helper()
	for _, m := range s.now(t).Members {
		switch {
		case m.Shard != shard || m.Role == cluster.RoleArbiter:
		case m.Home:
			home = m.Name
		case other == "":
			other = m.Name
		}
	}
	return home, other
}

// majorityOutside tells that most members of a shard are in other datacenters.
func majorityOutside(shard topology.Shard, dc topology.DatacenterID) bool {
	outside := 0
	for _, m := range shard.Members {
		if m.DC != dc {
			outside++
		}
	}
	return 2*outside > len(shard.Members)
}
