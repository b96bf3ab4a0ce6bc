package dashboard

import (
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A clusterView is the cluster as the page shows it. Times are milliseconds.
type clusterView struct {
	Name        string           `json:"name"`
	Server      string           `json:"server"`
	Router      string           `json:"router"`
	Taken       int64            `json:"taken"`
	Datacenters []datacenterView `json:"datacenters"`
	Links       []linkView       `json:"links"`
	Shards      []shardView      `json:"shards"`
	Others      []memberView     `json:"others"`
	Faults      []string         `json:"faults"`
	// Error says why nothing newer is known; the rest is what was known then.
	Error string `json:"error,omitempty"`
}

type datacenterView struct {
	ID   topology.DatacenterID `json:"id"`
	Name string                `json:"name"`
	Role string                `json:"role"`
	// At is nil where the topology gives no position.
	At *[2]float64 `json:"at"`
	// Cut is true when no link of it carries anything; Gateway, when requests can begin there.
	Cut     bool `json:"cut"`
	Gateway bool `json:"gateway"`
}

type linkView struct {
	A   topology.DatacenterID `json:"a"`
	B   topology.DatacenterID `json:"b"`
	RTT float64               `json:"rtt"`
	Cut bool                  `json:"cut"`
}

type shardView struct {
	ID   topology.ShardID      `json:"id"`
	Home topology.DatacenterID `json:"home"`
	// Primary is the member that takes writes, "" during an election.
	Primary string       `json:"primary"`
	Members []memberView `json:"members"`
	// Without is for how long the shard has had no primary, 0 with one.
	Without int64 `json:"without"`
}

type memberView struct {
	Name   string                `json:"name"`
	DC     topology.DatacenterID `json:"dc"`
	Role   string                `json:"role"`
	State  string                `json:"state"`
	Home   bool                  `json:"home"`
	Lag    *float64              `json:"lag"`
	Detail string                `json:"detail,omitempty"`
}

// viewCluster joins what was declared with what the members said.
func viewCluster(w World, status cluster.Status, without map[topology.ShardID]time.Duration) clusterView {
	world := w.Topology()
	v := clusterView{Name: status.Name, Server: status.ServerVersion, Router: status.QueryRouter.Kind, Taken: status.Taken.UnixMilli(), Faults: append([]string{}, status.Faults...)}
	for _, l := range status.Links {
		v.Links = append(v.Links, linkView{l.Between[0], l.Between[1], millis(time.Duration(l.RTT)), l.Cut})
	}
	for _, dc := range world.Datacenters {
		one := datacenterView{ID: dc.ID, Name: dc.Name, Role: dc.Role.String(), Cut: cutOff(dc.ID, v.Links), Gateway: w.Gateway(dc.ID) != ""}
		if one.Name == "" {
			one.Name = string(dc.ID)
		}
		if dc.At != nil {
			one.At = &[2]float64{dc.At.Lat, dc.At.Long}
		}
		v.Datacenters = append(v.Datacenters, one)
	}
	for _, shard := range world.Shards {
		one := shardView{ID: shard.ID, Home: world.HomeOf(shard.ID), Without: without[shard.ID].Milliseconds()}
		if p, ok := status.Primary(shard.ID); ok {
			one.Primary = p.Name
		}
		for _, m := range status.Members {
			if m.Shard == shard.ID {
				one.Members = append(one.Members, viewMember(m))
			}
		}
		v.Shards = append(v.Shards, one)
	}
	for _, m := range status.Members {
		if m.Shard == "" {
			v.Others = append(v.Others, viewMember(m))
		}
	}
	return v
}

func viewMember(m cluster.Member) memberView {
	v := memberView{Name: m.Name, DC: m.Datacenter, Role: m.Role.String(), State: m.State.String(), Home: m.Home, Detail: m.Detail}
	if m.Lag != nil {
		lag := millis(time.Duration(*m.Lag))
		v.Lag = &lag
	}
	return v
}

// cutOff reports whether a datacenter has links and all of them are cut.
func cutOff(dc topology.DatacenterID, links []linkView) bool {
	has := false
	for _, l := range links {
		if l.A == dc || l.B == dc {
			if !l.Cut {
				return false
			}
			has = true
		}
	}
	return has
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// A lagView is the greatest lag of the copies in each datacenter at a moment. A datacenter of which nothing is known is not in it.
type lagView struct {
	At  int64                             `json:"at"`
	Lag map[topology.DatacenterID]float64 `json:"lag"`
}

func viewLag(status cluster.Status) lagView {
	v := lagView{At: status.Taken.UnixMilli(), Lag: map[topology.DatacenterID]float64{}}
	for _, m := range status.Members {
		if m.Shard != "" && m.Lag != nil && m.State == cluster.StateUp {
			v.Lag[m.Datacenter] = max(v.Lag[m.Datacenter], millis(time.Duration(*m.Lag)))
		}
	}
	return v
}
