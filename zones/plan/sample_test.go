package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// now is when plans are made.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// sampleWorld is the reference world: a datacenter, a shard and a zone each for NYC, LON and SYD, and shop.carts.
func sampleWorld(t testing.TB) *topology.Topology {
	t.Helper()
	world, err := topology.Load("../../configs/nyc-lon-syd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// sampleState is a cluster that has what a world declares: members and tags, zones and tight ranges, and a chunk for each range on the first shard of its zone, with the gaps on the first shard
// of all. Each shard holds a million documents of 1 GB of each collection.
func sampleState(t testing.TB, world *topology.Topology) *zones.State {
	t.Helper()
	s := &zones.State{ClusterID: "650000000000000000000000", Version: "6.0.5", Balancer: zones.Balancer{Running: true, ChunkSize: 128 << 20}}
	for _, declared := range world.Shards {
		shard := zones.Shard{ID: declared.ID, Modes: []string{multiDatacenterMode}}
		for i, m := range declared.Members {
			member := zones.Member{Host: fmt.Sprintf("%s-%d:27017", declared.ID, i), DC: m.DC, Priority: m.Priority, Votes: 1, Arbiter: world.Arbiter(m)}
			member.Primary = m.DC == world.HomeOf(declared.ID) && !slices.ContainsFunc(shard.Members, func(m zones.Member) bool { return m.Primary })
			shard.Members, shard.Hosts = append(shard.Members, member), append(shard.Hosts, member.Host)
		}
		for _, zone := range world.Zones {
			if slices.Contains(zone.Shards, declared.ID) {
				shard.Zones = append(shard.Zones, zone.ID)
			}
		}
		slices.Sort(shard.Zones)
		s.Shards = append(s.Shards, shard)
	}
	slices.SortFunc(s.Shards, func(a, b zones.Shard) int { return strings.Compare(string(a.ID), string(b.ID)) })
	layout, err := Want(world, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	members := layout.ShardsByZone()
	for _, p := range layout.Collections {
		c := zones.Collection{Name: p.Collection, Exists: true, Primary: s.Shards[0].ID, Sharded: true, Key: p.Key, Ranges: p.Ranges, Sizes: map[topology.ShardID]zones.Size{}}
		c.Indexes = []zones.Index{{Name: "_id_", Key: bson.D{{Key: "_id", Value: 1}}, Unique: true}}
		for _, shard := range s.Shards {
			c.Sizes[shard.ID] = zones.Size{Documents: 1e6, Bytes: 1e9}
		}
		end := shardkey.StartOf(p.Key, shardkey.MinKey)
		for _, r := range p.Ranges {
			c.Chunks = append(c.Chunks, zones.Chunk{Min: end, Max: r.Min, Shard: s.Shards[0].ID}, zones.Chunk{Min: r.Min, Max: r.Max, Shard: members[r.Zone][0]})
			end = r.Max
		}
		c.Chunks = append(c.Chunks, zones.Chunk{Min: end, Max: shardkey.StartOf(p.Key, shardkey.MaxKey), Shard: s.Shards[0].ID})
		c.Chunks = slices.DeleteFunc(c.Chunks, func(ch zones.Chunk) bool { return string(ch.Min) == string(ch.Max) })
		s.Collections = append(s.Collections, c)
	}
	return s
}

// docOf encodes a document.
func docOf(d bson.D) bson.Raw {
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

// conjunctionOf is a validator that demands several.
func conjunctionOf(parts ...bson.Raw) bson.Raw {
	list := make(bson.A, len(parts))
	for i, part := range parts {
		list[i] = part
	}
	return docOf(bson.D{{Key: "$and", Value: list}})
}

// keyDoc is a bound of shop.carts.
func keyDoc(dataCenter, cartID any) bson.Raw {
	return docOf(bson.D{{Key: "dataCenter", Value: dataCenter}, {Key: "cartId", Value: cartID}})
}

// listed writes findings for golden files.
func listed(findings []zones.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Severity, f.Rule, f.Subject, f.Message)
		if f.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
		}
	}
	if len(findings) == 0 {
		b.WriteString("(no finding)\n")
	}
	return b.String()
}
