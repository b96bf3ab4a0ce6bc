package gateway

import "github.com/geoshard/geoshard/topology"

// SeePrimary is the follower's word on a shard's primary; "" = there is none.
func (g *Gateway) SeePrimary(shard topology.ShardID, dc topology.DatacenterID) {
	g.seen(shard, primary{DC: dc, None: dc == ""})
}
