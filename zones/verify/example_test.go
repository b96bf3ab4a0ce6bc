package verify_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// A report as Verify returns it: one document of New York's was left behind on the shard of London.
func ExampleReport() {
	r := verify.Report{
		Taken: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Namespaces: []verify.Namespace{{
			Name: "shop.carts", Key: "{dataCenter: 1, cartId: 1}",
			Members: []verify.Member{
				{Shard: "lon", Host: "lon1:27018", Datacenter: "LON", Role: verify.RolePrimary, Documents: 3, Complete: true, Zones: map[topology.ZoneID]int64{"LON": 2, "NYC": 1}, Orphans: 1},
				{Shard: "nyc", Host: "nyc1:27018", Datacenter: "NYC", Role: verify.RolePrimary, Documents: 5, Complete: true, Zones: map[topology.ZoneID]int64{"NYC": 5}},
			},
			Examples: []verify.Example{{Kind: verify.Orphan, Shard: "lon", Members: []string{"lon1:27018"}, Zone: "NYC", Owner: "nyc", ID: "7", Key: `{"dataCenter": "NYC","cartId": "c7"}`}},
		}},
	}
	t := r.Totals()
	fmt.Println(t.Documents, "documents,", t.Orphans, "orphan; clean:", r.Clean())
	fmt.Println("sha256", r.Hash())
	// Output:
	// 8 documents, 1 orphan; clean: false
	// sha256 bd15eb59d8e4a779cd4acf2d86f7743ce0ba8504c9a6dc562c5d002c1f53a2a7
}
