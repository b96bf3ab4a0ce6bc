package clustertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/redact"
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
	if !reflect.DeepEqual(c.Topology(), world) {
		return nil, fmt.Errorf("%s=%s: its topology is not that of cluster/clustertest/small.yaml", clusterEnv, at)
	}
	return c, nil
}

// errOtherShards means that a given cluster has not the shards that tests name. Its text is what a test needs, for Needs.
var errOtherShards = errors.New("shards s0, s1 and s2")

// A given cluster is somebody else's. Nothing about it is asked but where its shards are.
type given struct {
	uri    string
	world  *topology.Topology
	shards map[string]string // a member's host by its shard
}

// connectGiven returns the cluster that a connection string leads to.
func connectGiven(uri string, world *topology.Topology) (SharedCluster, error) {
	var list struct {
		Shards []struct {
			ID   string `bson:"_id"`
			Host string `bson:"host"` // "set/host:port,host:port"
		} `bson:"shards"`
	}
	err := withDatabase(uri, "admin", func(ctx context.Context, admin *mongo.Database) error {
		return admin.RunCommand(ctx, bson.D{{Key: "listShards", Value: 1}}).Decode(&list)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uriEnv, redact.Error(err, uri))
	}
	g := &given{uri: uri, world: world, shards: map[string]string{}}
	var has []string
	for _, shard := range list.Shards {
		has = append(has, shard.ID)
		_, hosts, _ := strings.Cut(shard.Host, "/")
		g.shards[shard.ID] = answering(strings.Split(hosts, ","))
	}
	for _, s := range world.Shards {
		if _, ok := g.shards[string(s.ID)]; !ok {
			return nil, fmt.Errorf("%w (there are %s)", errOtherShards, strings.Join(has, ", "))
		}
	}
	return g, nil
}

// answering is the first host that takes connections, and the first of all if none does.
func answering(hosts []string) string {
	for _, h := range hosts {
		if conn, err := net.DialTimeout("tcp", h, 3*time.Second); err == nil {
			_ = conn.Close()
			return h
		}
	}
	return hosts[0]
}

// Topology is that of Small, as far as tests are concerned.
func (g *given) Topology() *topology.Topology { return g.world }

// URI is the connection string that the tests were given, for everybody.
func (g *given) URI(topology.DatacenterID) (string, error) { return g.uri, nil }

// MemberURI leads to some member of the shard: which ones there are is not for a test to know.
func (g *given) MemberURI(member string) (string, error) {
	shard, _, _ := strings.Cut(member, "/")
	host, ok := g.shards[shard]
	if !ok {
		return "", cluster.Unknown(topology.ErrUnknownMember, member, nil)
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
