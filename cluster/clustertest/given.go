package clustertest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/existing"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

const (
	// uriEnv is the connection string of a query router that somebody else runs, such as a real mongos: what shares a cluster shares that one.
	uriEnv = "GEOSHARD_TEST_URI"
	// clusterEnv is DIR/NAME of a detached local cluster of the Small topology that runs for as long as all packages are tested.
	clusterEnv = "GEOSHARD_TEST_CLUSTER"
)

// attachWithin bounds how long a cluster that runs already may take to answer, on a machine that is busy with other tests.
const attachWithin = time.Minute

// TestURI returns the connection string that the tests were given, GEOSHARD_TEST_URI, and whether they were given one. It is for suites that bring their own
// clients; others take [Shared], which knows it.
func TestURI() (string, bool) {
	uri := os.Getenv(uriEnv)
	return uri, uri != ""
}

// Needs is called by a test that needs more than a query router and databases of its own, such as members that it may kill: against the cluster of
// GEOSHARD_TEST_URI it is skipped, by name, with words that scripts/test.sh repeats at its end.
func Needs(t testing.TB, what string) {
	t.Helper()
	if _, given := TestURI(); given {
		t.Skipf("NOT TESTED against %s: %s: it needs %s", uriEnv, t.Name(), what)
	}
}

// attach returns the detached cluster at DIR/NAME.
func attach(at string, world *topology.Topology) (SharedCluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), attachWithin)
	defer cancel()
	c, err := local.Attach(ctx, filepath.Base(at), filepath.Dir(at))
	if err != nil {
		return nil, fmt.Errorf("%s=%s: %w", clusterEnv, at, err)
	}
	have, err := c.Topology().Marshal()
	if err != nil {
		return nil, err
	}
	want, err := world.Marshal()
	if err != nil {
		return nil, err
	}
	if string(have) != string(want) {
		return nil, fmt.Errorf("%s=%s: its topology is not that of cluster/clustertest/small.yaml", clusterEnv, at)
	}
	return c, nil
}

// An otherShardsError means that a given cluster has not the shards that tests name.
type otherShardsError struct{ has []string }

// Error is what a test needs, for Needs.
func (e *otherShardsError) Error() string {
	return "shards s0, s1 and s2 (there are " + strings.Join(e.has, ", ") + ")"
}

// A given cluster is somebody else's.
type given struct {
	*existing.View
	uri    string
	shards map[string]string // a member's host by its shard
}

// connectGiven returns the cluster that a connection string leads to.
func connectGiven(uri string, world *topology.Topology) (_ SharedCluster, closing func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), attachWithin)
	defer cancel()
	view, err := existing.Connect(ctx, existing.Options{Name: "given", URI: uri, Topology: world})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", uriEnv, err)
	}
	closing = func() error { return view.Close(context.Background()) }
	status, err := view.Status(ctx)
	if err != nil {
		return nil, closing, fmt.Errorf("%s: %w", uriEnv, err)
	}
	g := &given{View: view, uri: uri, shards: map[string]string{}}
	var has []string
	for _, m := range status.Members {
		if _, known := g.shards[string(m.Shard)]; !known {
			has = append(has, string(m.Shard))
		}
		if m.State == cluster.StateUp || g.shards[string(m.Shard)] == "" {
			g.shards[string(m.Shard)] = m.Host
		}
	}
	for _, s := range world.Shards {
		if _, ok := g.shards[string(s.ID)]; !ok {
			return nil, closing, &otherShardsError{has}
		}
	}
	return g, closing, nil
}

// MemberURI leads to some member of the shard: which ones there are is not for a test to know.
func (g *given) MemberURI(member string) (string, error) {
	shard, _, _ := strings.Cut(member, "/")
	host, ok := g.shards[shard]
	if !ok {
		return "", cluster.UnknownMember(member, nil)
	}
	u, err := url.Parse(g.uri)
	if err != nil {
		return "", errors.New("parse connection string") // the error of Parse quotes it
	}
	u.Scheme, u.Host = "mongodb", host
	query := u.Query()
	query.Del("replicaSet")
	query.Set("directConnection", "true")
	u.RawQuery = query.Encode()
	return u.String(), nil
}
