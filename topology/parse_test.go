package topology_test

import (
	"testing"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/google/go-cmp/cmp"
)

// fixture is the reference world of three datacenters, written as its YAML should be understood.
func fixture() *topology.Topology {
	return &topology.Topology{
		Version: 1,
		Datacenters: []topology.Datacenter{
			{ID: "NYC", Name: "New York", At: &topology.Coordinates{Lat: 40.71, Long: -74.01}, Countries: []string{"US", "CA", "MX", "BR"}, Endpoint: "http://127.0.0.1:8081", Role: topology.RoleActive},
			{ID: "LON", Name: "London", At: &topology.Coordinates{Lat: 51.51, Long: -0.13}, Countries: []string{"GB", "IE", "FR", "DE"}, Endpoint: "http://127.0.0.1:8082", Role: topology.RoleActive},
			{ID: "SYD", Name: "Sydney", At: &topology.Coordinates{Lat: -33.87, Long: 151.21}, Countries: []string{"AU", "NZ", "JP", "SG"}, Endpoint: "http://127.0.0.1:8083", Role: topology.RoleActive},
		},
		Links: []topology.Link{
			{Between: [2]topology.DatacenterID{"NYC", "LON"}, RTT: 76 * time.Millisecond},
			{Between: [2]topology.DatacenterID{"NYC", "SYD"}, RTT: 200 * time.Millisecond},
			{Between: [2]topology.DatacenterID{"LON", "SYD"}, RTT: 265 * time.Millisecond},
		},
		Shards: []topology.Shard{
			{ID: "nyc", Members: []topology.Member{{DC: "NYC", Priority: 10}, {DC: "LON", Priority: 5}, {DC: "SYD", Priority: 0}}},
			{ID: "lon", Members: []topology.Member{{DC: "LON", Priority: 10}, {DC: "NYC", Priority: 5}, {DC: "SYD", Priority: 0}}},
			{ID: "syd", Members: []topology.Member{{DC: "SYD", Priority: 10}, {DC: "LON", Priority: 5}, {DC: "NYC", Priority: 0}}},
		},
		Zones: []topology.Zone{
			{ID: "NYC", Shards: []topology.ShardID{"nyc"}},
			{ID: "LON", Shards: []topology.ShardID{"lon"}},
			{ID: "SYD", Shards: []topology.ShardID{"syd"}},
		},
		Namespaces: []topology.Namespace{{
			Name: "shop.carts", Key: topology.Key{{Name: "dataCenter"}, {Name: "cartId"}}, ZoneBy: "dataCenter", Unknown: topology.UnknownReject,
		}},
		Survive: topology.SurviveDatacenter,
	}
}

func TestParseReadsTheReferenceWorld(t *testing.T) {
	got, err := topology.Load("testdata/nyc-lon-syd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fixture(), got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
