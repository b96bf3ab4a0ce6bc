package local

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A kind is what sort of process a node is. It decides its arguments.
type kind int

const (
	kindUnknown kind = iota
	kindData
	kindArbiter
	kindConfig
	kindRouter // mongos or devmongos
	kindCore   // the blank mongod beneath a devmongos
)

// A node is one process of the layout, before it has ports.
type node struct {
	Name     string
	Kind     kind
	DC       topology.DatacenterID
	Shard    topology.ShardID // empty unless the node is a shard's member
	Set      string           // replica set; empty for a router
	Priority float64
	Votes    int
	// Home is the member that is to be its set's primary.
	Home bool
}

// layOut turns a topology into the processes that it needs: shards, then config servers, then routers.
// withCores adds the core that a devmongos needs beneath each router.
func layOut(t *topology.Topology, withCores bool) ([]node, error) {
	var nodes []node
	for _, s := range t.Shards {
		members, err := shardNodes(t, s)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, members...)
	}
	nodes = append(nodes, configNodes(t)...)
	routers := 0
	for _, dc := range t.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue // clients never live there
		}
		routers++
		if withCores {
			nodes = append(nodes, node{
				Name: memberName(cluster.RouterCore, dc.ID), Kind: kindCore, DC: dc.ID,
				Set: "router-" + string(dc.ID), Priority: 1, Votes: 1, Home: true,
			})
		}
		nodes = append(nodes, node{Name: memberName(cluster.Router, dc.ID), Kind: kindRouter, DC: dc.ID})
	}
	if routers == 0 || len(t.Shards) == 0 {
		return nil, errors.New("lay out cluster: the topology needs at least one shard and one datacenter with clients")
	}
	return nodes, nil
}

func shardNodes(t *topology.Topology, s topology.Shard) ([]node, error) {
	switch string(s.ID) {
	case "", cluster.ConfigSet, cluster.Router, cluster.RouterCore, "admin", "local":
		return nil, &cluster.HintedError{Err: fmt.Errorf("lay out cluster: shard name %q is reserved", s.ID), Help: "rename the shard"}
	}
	var nodes []node
	home := -1
	for i, m := range s.Members {
		n := node{
			Name: s.MemberName(i), Kind: kindData, DC: m.DC, Shard: s.ID,
			Set: string(s.ID), Priority: m.Priority, Votes: 1,
		}
		if t.Arbiter(m) {
			n.Kind, n.Priority = kindArbiter, 0
		}
		if n.Priority > 0 && (home < 0 || n.Priority > nodes[home].Priority) {
			home = i
		}
		nodes = append(nodes, n)
	}
	if home < 0 {
		return nil, fmt.Errorf("lay out cluster: shard %q has no member that could become primary", s.ID)
	}
	nodes[home].Home = true
	return nodes, nil
}

// configNodes puts one config server in each datacenter. Those of voter datacenters cannot be arbiters (MongoDB allows
// none in a config set), but they never become primary. The first datacenter that has clients is the primary's home.
func configNodes(t *topology.Topology) []node {
	var nodes []node
	homeTaken := false
	for _, dc := range t.Datacenters {
		n := node{Name: memberName(cluster.ConfigSet, dc.ID), Kind: kindConfig, DC: dc.ID, Set: cluster.ConfigSet, Votes: 1}
		switch {
		case dc.Role == topology.RoleVoter:
		case !homeTaken:
			homeTaken, n.Home, n.Priority = true, true, 10
		default:
			n.Priority = 1
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func memberName(set string, dc topology.DatacenterID) string {
	return cluster.MemberName{Set: set, DC: dc, Ordinal: 1}.String()
}

// replicaSetConfig is the document for replSetInitiate. hosts are the advertised addresses by node name.
func replicaSetConfig(set string, members []node, hosts map[string]string, o Options) bson.D {
	var list bson.A
	for i, n := range members {
		m := bson.D{{Key: "_id", Value: i}, {Key: "host", Value: hosts[n.Name]}, {Key: "priority", Value: n.Priority}, {Key: "votes", Value: n.Votes}}
		if n.Kind == kindArbiter { // MongoDB refuses tags on arbiters
			m = append(m, bson.E{Key: "arbiterOnly", Value: true})
		} else {
			m = append(m, bson.E{Key: "tags", Value: bson.D{{Key: "dc", Value: string(n.DC)}}})
		}
		list = append(list, m)
	}
	settings := bson.D{
		{Key: "electionTimeoutMillis", Value: o.ElectionTimeout.Milliseconds()},
	}
	config := bson.D{{Key: "_id", Value: set}, {Key: "version", Value: 1}}
	if members[0].Kind == kindConfig {
		config = append(config, bson.E{Key: "configsvr", Value: true})
	} else {
		settings = append(settings, bson.E{Key: "getLastErrorModes", Value: bson.D{
			{Key: MultiDatacenter, Value: bson.D{{Key: "dc", Value: 2}}},
		}})
	}
	return append(config, bson.E{Key: "members", Value: list}, bson.E{Key: "settings", Value: settings})
}

// MultiDatacenter is the write-concern mode that every shard has: acknowledged by members of two distinct datacenters.
const MultiDatacenter = "multiDatacenter"
