package local_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// latencyWindow is within how much of the nearest member a query router chooses at random, whatever the order of the tag sets: localThresholdMs.
const latencyWindow = 15

// distances checks that the query routers of a cluster find out soon after its start who is near. They measured their ways first while the delays were off, and on a machine
// that was busy starting everything; one that goes on with that reads over links.
func distances(t *testing.T, c *local.Cluster, status cluster.Status) {
	at := map[string]topology.DatacenterID{}
	asked := cluster.RoleRouter
	for _, m := range status.Members {
		at[m.Host] = m.Datacenter
		if m.Role == cluster.RoleRouterCore {
			asked = m.Role
		}
	}
	for _, m := range status.Members {
		if m.Role != asked {
			continue
		}
		uri, err := c.MemberURI(m.Name)
		if err != nil {
			t.Fatal(err)
		}
		makeItRead(t, c, m.Datacenter)
		client := dialFrom(t, c, m.Datacenter, uri)
		took := testkit.EventuallyNil(t, testkit.Patience, m.Name+" knows who is near", func(ctx context.Context) error {
			return knowsWhoIsNear(ctx, client, m.Datacenter, at, len(c.Topology().Shards))
		})
		t.Logf("%s knows who is near: after %s", m.Name, took.Round(time.Millisecond))
	}
}

// makeItRead lets a router read from a shard, if the tests of latencies have made a collection there: one that was there before the shards knows of them within 30 s otherwise.
func makeItRead(t *testing.T, c *local.Cluster, from topology.DatacenterID) {
	t.Helper()
	collection := routedCollection(t, c, c.Topology().Shards[0].ID, from)
	nearest := options.Collection().SetReadPreference(readpref.Nearest())
	if _, err := collection.Database().Collection(collection.Name(), nearest).CountDocuments(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
}

// knowsWhoIsNear returns an error while a query router measures no less for the member of a shard in its own datacenter than for the others.
func knowsWhoIsNear(ctx context.Context, router *mongo.Client, own topology.DatacenterID, at map[string]topology.DatacenterID, shards int) error {
	var pools struct {
		ReplicaSets map[string]struct {
			Hosts []struct {
				Addr           string
				PingTimeMillis float64
			}
		}
	}
	if err := router.Database("admin").RunCommand(ctx, bson.D{{Key: "connPoolStats", Value: 1}}).Decode(&pools); err != nil {
		return err
	}
	delete(pools.ReplicaSets, cluster.ConfigSet)
	var wrong error
	for set, s := range pools.ReplicaSets {
		near, far := 0.0, []float64{}
		for _, host := range s.Hosts {
			if at[host.Addr] == own {
				near = host.PingTimeMillis
			} else {
				far = append(far, host.PingTimeMillis)
			}
		}
		for _, ms := range far {
			if ms <= near+latencyWindow {
				wrong = errors.Join(wrong, fmt.Errorf("%s: the member in %s is %.0f ms away, the others %v", set, own, near, far))
			}
		}
	}
	if len(pools.ReplicaSets) != shards {
		wrong = errors.Join(wrong, fmt.Errorf("it knows %d shards, want %d", len(pools.ReplicaSets), shards))
	}
	return wrong
}
