package layout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Kind is what sort of process a node is. It decides its arguments.
type Kind int

// The kinds.
const (
	Unknown Kind = iota
	Data         // a shard's member that holds data
	Arbiter
	Config
	Router // mongos or devmongos
	Core   // the blank mongod beneath a devmongos
)

// A Node is one process of the layout, before it has ports.
type Node struct {
	Name     string
	Kind     Kind
	DC       topology.DatacenterID
	Shard    topology.ShardID // empty unless the node is a shard's member
	Set      string           // replica set; empty for a router
	Priority float64
	Votes    int
	// Home is the member that is to be its set's primary.
	Home bool
	// ElectionSpread is the part of the election timeout over which members spread their candidacies at random. 0 = mongod's own, 0.15.
	ElectionSpread float64
}

// ServerArguments are those of mongod that say what the node is and make it fit for an emulated network, whoever starts it. The cache is in GB, the oplog in MB.
func (n Node) ServerArguments(cacheGB float64, oplogMB int) []string {
	args := []string{
		"--replSet", n.Set,
		"--wiredTigerCacheSizeGB", strconv.FormatFloat(cacheGB, 'f', -1, 64),
		"--oplogSize", strconv.Itoa(oplogMB),
		"--networkMessageCompressors", "disabled", // the network recognises an oplog fetch by its bytes
	}
	if n.ElectionSpread > 0 {
		args = append(args, "--setParameter", "replElectionTimeoutOffsetLimitFraction="+strconv.FormatFloat(n.ElectionSpread, 'f', -1, 64))
	}
	if n.Kind == Config {
		return append(args, "--configsvr")
	}
	// Moved documents leave their old shard at once (default 900 s), so that a residency proof can be watched.
	return append(args, "--shardsvr", "--setParameter", "orphanCleanupDelaySecs=1")
}

// RouterArguments are those of mongos that make it fit for an emulated network: it measures its way to each member every second, not every 10 s, and so knows soon after the delays
// are on who is near. It reads from any member within 15 ms of the nearest, by an average of what it measured.
func RouterArguments() []string { return []string{"--setParameter", "heartBeatFrequencyMs=1000"} }

// Of turns a topology into the processes that it needs: shards, then config servers, then routers.
// withCores adds the core that a devmongos needs beneath each router.
func Of(t *topology.Topology, withCores bool) ([]Node, error) {
	var nodes []Node
	for _, s := range t.Shards {
		members, err := shardNodes(t, s)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, members...)
	}
	nodes = append(nodes, configNodes(t)...)
	spreadElections(nodes)
	routers := 0
	for _, dc := range t.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue // clients never live there
		}
		routers++
		if withCores {
			nodes = append(nodes, Node{
				Name: MemberName(cluster.RouterCore, dc.ID), Kind: Core, DC: dc.ID,
				Set: "router-" + string(dc.ID), Priority: 1, Votes: 1, Home: true,
			})
		}
		nodes = append(nodes, Node{Name: MemberName(cluster.Router, dc.ID), Kind: Router, DC: dc.ID})
	}
	if routers == 0 || len(t.Shards) == 0 {
		return nil, errors.New("lay out cluster: the topology needs at least one shard and one datacenter with clients")
	}
	return nodes, nil
}

func shardNodes(t *topology.Topology, s topology.Shard) ([]Node, error) {
	switch string(s.ID) {
	case cluster.ConfigSet:
		return nil, hint.Errorf("rename the shard; a cluster that you have may have such a shard, and plan and verify work with it",
			"lay out cluster: the shard %q would be the config servers, and a cluster that is started here has config servers of its own", s.ID)
	case "", cluster.Router, cluster.RouterCore, "admin", "local":
		return nil, hint.New(fmt.Errorf("lay out cluster: shard name %q is reserved", s.ID), "rename the shard")
	}
	var nodes []Node
	home := -1
	for i, m := range s.Members {
		n := Node{
			Name: s.MemberName(i), Kind: Data, DC: m.DC, Shard: s.ID,
			Set: string(s.ID), Priority: m.Priority, Votes: 1,
		}
		if t.Arbiter(m) {
			n.Kind, n.Priority = Arbiter, 0
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
// none in a config set), but they never become primary. The first datacenter that has clients is the primary's home; of the others only those nearest to it stand
// for election that are needed.
func configNodes(t *topology.Topology) []Node {
	nodes := make([]Node, len(t.Datacenters))
	var home *Node
	var others []*Node // that may become primary
	for i, dc := range t.Datacenters {
		n := &nodes[i]
		*n = Node{Name: MemberName(cluster.ConfigSet, dc.ID), Kind: Config, DC: dc.ID, Set: cluster.ConfigSet, Votes: 1}
		switch {
		case dc.Role == topology.RoleVoter:
		case home == nil:
			home, n.Home, n.Priority = n, true, 10
		default:
			n.Priority = 1
			others = append(others, n)
		}
	}
	if home != nil && len(nodes) > 2 {
		slices.SortStableFunc(others, func(a, b *Node) int { return cmp.Compare(t.RTT(home.DC, a.DC), t.RTT(home.DC, b.DC)) })
		for _, n := range others[min(topology.NeededCandidates(len(nodes))-1, len(others)):] {
			n.Priority = 0
		}
	}
	return nodes
}

// spreadElections tells those sets to spread that have several rivals.
func spreadElections(nodes []Node) {
	standing := map[string]int{}
	for _, n := range nodes {
		if n.Priority > 0 {
			standing[n.Set]++
		}
	}
	for i, n := range nodes {
		nodes[i].ElectionSpread = consistency.SpreadFor(standing[n.Set])
	}
}

// MemberName is the name of the first member of a set in a datacenter.
func MemberName(set string, dc topology.DatacenterID) string {
	return cluster.MemberName{Set: set, DC: dc, Ordinal: 1}.String()
}

// A SetConfig is the configuration of a replica set, for replSetInitiate and replSetReconfig.
type SetConfig struct {
	Name         string      `bson:"_id"`
	Version      int         `bson:"version"`
	ConfigServer bool        `bson:"configsvr,omitempty"`
	Members      []SetMember `bson:"members"`
	Settings     struct {
		ElectionTimeout   int64                     `bson:"electionTimeoutMillis"`
		HeartbeatInterval int64                     `bson:"heartbeatIntervalMillis,omitempty"`
		Modes             map[string]map[string]int `bson:"getLastErrorModes,omitempty"`
		Rest              bson.M                    `bson:",inline"`
	} `bson:"settings"`
	Rest bson.M `bson:",inline"` // what a server says besides
}

// A SetMember is what the configuration says about one member.
type SetMember struct {
	ID       int               `bson:"_id"`
	Host     string            `bson:"host"`
	Priority float64           `bson:"priority"`
	Votes    int               `bson:"votes"`
	Arbiter  bool              `bson:"arbiterOnly,omitempty"`
	Tags     map[string]string `bson:"tags,omitempty"`
	Rest     bson.M            `bson:",inline"`
}

// NewSetConfig is the first configuration of a set.
func NewSetConfig(set string, members []SetMember, electionTimeout time.Duration) SetConfig {
	c := SetConfig{Name: set, Version: 1, ConfigServer: set == cluster.ConfigSet, Members: members}
	c.Settings.ElectionTimeout = electionTimeout.Milliseconds()
	c.Settings.HeartbeatInterval = consistency.HeartbeatFor(electionTimeout).Milliseconds()
	if !c.ConfigServer {
		c.Settings.Modes = map[string]map[string]int{MultiDatacenter: {"dc": 2}}
	}
	return c
}

// SetMember is what the configuration of the node's set says about it. host is its advertised address.
func (n Node) SetMember(id int, host string) SetMember {
	m := SetMember{ID: id, Host: host, Priority: n.Priority, Votes: n.Votes, Arbiter: n.Kind == Arbiter}
	if !m.Arbiter { // MongoDB refuses tags on arbiters
		m.Tags = map[string]string{"dc": string(n.DC)}
	}
	return m
}

// MultiDatacenter is the write-concern mode that every shard has: acknowledged by members of two distinct datacenters.
const MultiDatacenter = "multiDatacenter"
