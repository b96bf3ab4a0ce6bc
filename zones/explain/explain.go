package explain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/topology"
)

// A Routing says how many of the shards that hold a collection a query asks.
type Routing int

// The routings.
const (
	RoutingUnknown Routing = iota
	// RoutingOne asks one shard.
	RoutingOne
	// RoutingSome asks several shards, and leaves others out.
	RoutingSome
	// RoutingAll asks every shard that has a part of the collection: scatter and gather.
	RoutingAll
)

var routingNames = []string{"unknown", "one shard", "some shards", "scatter-gather"}

// String is "one shard", "some shards" or "scatter-gather".
func (r Routing) String() string { return enum.Name(routingNames, r) }

// MarshalText returns what String does.
func (r Routing) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// An Explanation is what a find by a filter touches.
type Explanation struct {
	Namespace string `json:"namespace"`
	// Filter is extended JSON, relaxed.
	Filter string `json:"filter"`
	// Key is the shard key as geoshard.yaml writes it; empty for a collection that is not sharded.
	Key     string                `json:"key,omitempty"`
	From    topology.DatacenterID `json:"from"`
	Routing Routing               `json:"routing"`
	// Why is one sentence: what the filter says about the shard key.
	Why string `json:"why"`
	// Shards are those that are asked, sorted.
	Shards []Shard `json:"shards"`
	// Primary is the least that reading from primaries must take, in nanoseconds: the largest round trip to one of the shards, which are asked
	// in parallel. Nearest is the same for reads with the read preference nearest.
	Primary time.Duration `json:"primary"`
	Nearest time.Duration `json:"nearest"`
}

// A Shard is one of the shards that a query asks.
type Shard struct {
	ID topology.ShardID `json:"id"`
	// Home is the datacenter of its preferred primary, RTT the round trip to it.
	Home topology.DatacenterID `json:"home"`
	RTT  time.Duration         `json:"rtt"`
	// Nearest is the datacenter of the nearest member that holds documents, NearestRTT the round trip to it.
	Nearest    topology.DatacenterID `json:"nearest"`
	NearestRTT time.Duration         `json:"nearestRtt"`
}

// Datacenters are the homes of the shards, each once, sorted.
func (e *Explanation) Datacenters() []topology.DatacenterID {
	var homes []topology.DatacenterID
	for _, s := range e.Shards {
		homes = append(homes, s.Home)
	}
	slices.Sort(homes)
	return slices.Compact(homes)
}

// Explain asks the query router behind client which shards a find by filter in the namespace touches, and works out what that must cost a
// client in the datacenter from. The filter is anything that encodes to a BSON document; nil is the empty filter.
// It returns topology.ErrNoQueryRouter and topology.ErrUndeclared.
func Explain(ctx context.Context, client *mongo.Client, world *topology.Topology, namespace string, filter any, from topology.DatacenterID) (*Explanation, error) {
	db, coll, ok := strings.Cut(namespace, ".")
	if !ok {
		return nil, hint.New(fmt.Errorf("explain: %q is no namespace", namespace), "write database.collection, such as shop.carts")
	}
	if _, ok := world.Datacenter(from); !ok {
		return nil, hint.New(fmt.Errorf("explain: datacenter %q: %w", from, topology.ErrUndeclared), "use one of the datacenters of the topology")
	}
	if d, ok := filter.(bson.D); filter == nil || ok && d == nil {
		filter = bson.D{}
	}
	raw, err := bson.Marshal(filter)
	if err != nil {
		return nil, hint.New(fmt.Errorf("explain: read the filter: %w", err), `write a document, such as {"dataCenter": "NYC"}`)
	}
	shown, err := bson.MarshalExtJSON(bson.Raw(raw), false, false)
	if err != nil {
		return nil, fmt.Errorf("explain: show the filter: %w", err)
	}
	asked, err := askedShards(ctx, client.Database(db), coll, raw)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", namespace, err)
	}
	sharding, err := readSharding(ctx, client, namespace)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", namespace, err)
	}
	e := &Explanation{Namespace: namespace, Filter: string(shown), From: from}
	if len(sharding.key) > 0 {
		e.Key = sharding.key.String()
	}
	for _, id := range asked {
		s, err := locate(world, id, from)
		if err != nil {
			return nil, fmt.Errorf("explain %s: %w", namespace, err)
		}
		e.Shards = append(e.Shards, s)
		e.Primary, e.Nearest = max(e.Primary, s.RTT), max(e.Nearest, s.NearestRTT)
	}
	e.Routing = routing(len(asked), sharding.owners)
	e.Why = why(raw, sharding, len(asked))
	return e, nil
}

func routing(asked, owners int) Routing {
	switch {
	case asked == 0:
		return RoutingUnknown
	case asked == 1:
		return RoutingOne
	case asked < owners:
		return RoutingSome
	default:
		return RoutingAll
	}
}

// locate finds a shard's home and its nearest member with data.
func locate(world *topology.Topology, id topology.ShardID, from topology.DatacenterID) (Shard, error) {
	declared, ok := world.Shard(id)
	if !ok {
		return Shard{}, hint.New(fmt.Errorf("shard %q: %w", id, topology.ErrUndeclared), "declare the shard with its members, or use the topology of this cluster (geoshard import)")
	}
	s := Shard{ID: id, Home: world.HomeOf(id)}
	s.RTT = world.RTT(from, s.Home)
	for _, m := range declared.Members {
		rtt := world.RTT(from, m.DC)
		if !world.Arbiter(m) && (s.Nearest == "" || rtt < s.NearestRTT) {
			s.Nearest, s.NearestRTT = m.DC, rtt
		}
	}
	return s, nil
}
