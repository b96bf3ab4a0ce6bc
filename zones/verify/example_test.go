package verify_test

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/verify"
)

// A report as Verify returns it: one document of New York's was left behind on the shard of London.
func ExampleReport_Text() {
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
	fmt.Print(r.Text())
	fmt.Println(r.Clean())
	// Output:
	// shop.carts {dataCenter: 1, cartId: 1}
	//   lon        primary   LON    lon1:27018                    3 documents, 0 misplaced, 1 orphans
	//   nyc        primary   NYC    nyc1:27018                    5 documents, 0 misplaced, 0 orphans
	//   lon        orphan: _id 7, key {"dataCenter": "NYC","cartId": "c7"} belongs to zone NYC, owned by nyc, seen on lon1:27018
	// NOT CLEAN: 8 documents, 0 misplaced, 1 orphans, 0 of unknown values; taken 2026-01-31T12:00:00Z
	// sha256 bd15eb59d8e4a779cd4acf2d86f7743ce0ba8504c9a6dc562c5d002c1f53a2a7
	// false
}
