package clients_test

import (
	"os"
	"testing"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// world is one datacenter: the clients' subject is the query router, not the distance. The first shard can lose its primary, the others are as light as can be.
var world = clustertest.World{YAML: `version: 1
datacenters: {HERE: {name: Here}}
shards:
  s0: {members: [{dc: HERE, priority: 3}, {dc: HERE, priority: 2}, {dc: HERE, priority: 0}]}
  s1: {members: [{dc: HERE}]}
  s2: {members: [{dc: HERE}]}
zones: {HERE: {shards: [s0, s1, s2]}}
`, Options: local.Options{Name: "clients"}}

// mortal is the shard of world that has a member to spare.
const mortal = topology.ShardID("s0")

func TestMain(m *testing.M) { os.Exit(clustertest.Main(m)) }

// routerURI is the connection string of the query router that the clients are tested through.
func routerURI(t *testing.T) string {
	t.Helper()
	if uri, given := clustertest.TestURI(); given {
		return uri
	}
	uri, err := world.Start(t).URI("HERE")
	if err != nil {
		t.Fatal(err)
	}
	return uri
}
