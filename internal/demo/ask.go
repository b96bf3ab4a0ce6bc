package demo

import (
	"context"
	"strings"

	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// send sends a request once, and adds to the answer which member gave it.
func (p *play) send(ctx context.Context, q client.Request, into any) (client.Answer, error) {
	a, err := p.client.Send(ctx, q, into)
	a.Member = p.member(a.Exchange)
	return a, err
}

// member is the member of the record's shard that answered, as far as the shop's word goes: the primary for what asks primaries, and the copy in the datacenter
// whose members alone were asked. A query router does not name it.
func (p *play) member(x client.Exchange) string {
	parts := strings.Split(x.ServedBy, "; ")
	if len(parts) < 3 {
		return ""
	}
	home, _, _ := strings.Cut(handleIn(x.Path), ".")
	if x.Owner != "" {
		home = string(x.Owner)
	}
	shard := p.world.shardOf(topology.DatacenterID(home))
	if shard == "" {
		return ""
	}
	if parts[2] == "primary" {
		return p.primaries.of(shard)
	}
	dc, _, _ := strings.Cut(parts[0], " ")
	return string(shard) + "/" + dc
}

// handleIn is the handle in a path of a cart or an order; empty if there is none.
func handleIn(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 4 || parts[2] != "carts" && parts[2] != "orders" {
		return ""
	}
	return parts[3]
}

// shardOf is the shard whose preferred primary is in a datacenter; empty if there is none.
func (w *World) shardOf(dc topology.DatacenterID) topology.ShardID {
	for _, shard := range w.topology.Shards {
		if w.topology.HomeOf(shard.ID) == dc {
			return shard.ID
		}
	}
	return ""
}
