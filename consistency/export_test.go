package consistency

import (
	"time"

	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// BackToBackForTest are the latencies of writes one after the other at the shard's home, as Forecast has them before it sums them up in a Span.
func BackToBackForTest(p Profile, world *topology.Topology, shard topology.Shard, model Model) []time.Duration {
	return client{setOf(world, shard), world.HomeOf(shard.ID), model, nil}.writes(p.Write)[1:]
}

// FewOutagesForTest are Outages of few draws, for tests of many worlds.
func FewOutagesForTest(world *topology.Topology, settings Elections, seed uint64) (all []Outage) {
	for _, shard := range world.Shards {
		for _, f := range Failures {
			all = append(all, outageOf(world, shard, f, settings, seed, 100))
		}
	}
	return all
}

// SignForTest signs any bytes, as Seal does with a token.
func SignForTest(k signing.Key, payload []byte) string {
	sum := k.Sum(tokenPurpose, string(payload))
	return tokenText.EncodeToString(append(payload[:len(payload):len(payload)], sum[:]...))
}
