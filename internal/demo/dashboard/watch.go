package dashboard

import (
	"cmp"
	"context"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

const (
	// lookEvery is how often the members are asked; lookOften, while a shard has no primary or something was just broken.
	lookEvery = 700 * time.Millisecond
	lookOften = 150 * time.Millisecond
	// oftenFor is how long it is asked more often after somebody has broken something.
	oftenFor   = 8 * time.Second
	lookWithin = 5 * time.Second
	lagEvery   = time.Second

	keptHappenings = 80
	keptLags       = 240
)

// watch asks the members how they are until the context ends.
func (d *Dashboard) watch(ctx context.Context) {
	var before cluster.Status
	var lagged time.Time
	for first := true; ctx.Err() == nil; {
		asked, cancel := context.WithTimeout(ctx, lookWithin)
		status, err := d.world.Cluster().Status(asked)
		cancel()
		now := time.Now()
		if err != nil { // the page has what was known last
			d.pause(ctx, lookEvery)
			continue
		}
		d.mu.Lock()
		told, changed := d.failovers.look(status, now)
		without := d.failovers.without(now)
		list := d.failovers.shown()
		often := len(without) > 0 || now.Before(d.oftenUntil)
		d.mu.Unlock()
		d.hub.set("cluster", viewCluster(d.world.Topology(), status, without))
		if !first {
			told = append(changes(before, status), told...)
		}
		for _, h := range told {
			d.hub.add("happenings", keptHappenings, h)
		}
		if changed {
			d.hub.set("failovers", list)
		}
		if now.Sub(lagged) >= lagEvery {
			lagged = now
			d.hub.add("lags", keptLags, viewLag(status))
		}
		before, first = status, false
		next := lookEvery
		if often {
			next = lookOften
		}
		d.pause(ctx, next)
	}
}

// pause waits, at most until the context ends or somebody wants to see at once what he did.
func (d *Dashboard) pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-d.woken:
	case <-timer.C:
	}
}

// wake makes the next looks come at once and often.
func (d *Dashboard) wake() {
	d.mu.Lock()
	d.oftenUntil = time.Now().Add(oftenFor)
	d.mu.Unlock()
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// tell puts a line into the log.
func (d *Dashboard) tell(kind, format string, a ...any) {
	d.hub.add("happenings", keptHappenings, happened(time.Now(), kind, format, a...))
}

// A clusterView is the cluster as the page shows it. Times are milliseconds.
type clusterView struct {
	Name        string           `json:"name"`
	Server      string           `json:"server"`
	Router      string           `json:"router"`
	Datacenters []datacenterView `json:"datacenters"`
	Links       []linkView       `json:"links"`
	Shards      []shardView      `json:"shards"`
	Others      []memberView     `json:"others"`
	Faults      []string         `json:"faults"`
}

type datacenterView struct {
	ID   topology.DatacenterID `json:"id"`
	Name string                `json:"name"`
	// At is nil where the topology gives no position.
	At *[2]float64 `json:"at"`
	// Cut is true when no link of it carries anything.
	Cut bool `json:"cut"`
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
	Name  string                `json:"name"`
	DC    topology.DatacenterID `json:"dc"`
	Role  string                `json:"role"`
	State string                `json:"state"`
	Home  bool                  `json:"home"`
	Lag   *float64              `json:"lag"`
}

// viewCluster joins what was declared with what the members said.
func viewCluster(world *topology.Topology, status cluster.Status, without map[topology.ShardID]time.Duration) clusterView {
	v := clusterView{Name: status.Name, Server: status.ServerVersion, Router: status.QueryRouter.Kind, Faults: append([]string{}, status.Faults...)}
	for _, l := range status.Links {
		v.Links = append(v.Links, linkView{l.Between[0], l.Between[1], millis(time.Duration(l.RTT)), l.Cut})
	}
	for _, dc := range world.Datacenters {
		one := datacenterView{ID: dc.ID, Name: cmp.Or(dc.Name, string(dc.ID)), Cut: cutOff(dc.ID, v.Links)}
		if dc.At != nil {
			one.At = &[2]float64{dc.At.Lat, dc.At.Long}
		}
		v.Datacenters = append(v.Datacenters, one)
	}
	members := map[topology.ShardID][]memberView{}
	for _, m := range status.Members {
		members[m.Shard] = append(members[m.Shard], viewMember(m))
	}
	v.Others = members[""]
	for _, shard := range world.Shards {
		one := shardView{ID: shard.ID, Home: world.HomeOf(shard.ID), Members: members[shard.ID], Without: without[shard.ID].Milliseconds()}
		if p, ok := status.Primary(shard.ID); ok {
			one.Primary = p.Name
		}
		v.Shards = append(v.Shards, one)
	}
	return v
}

func viewMember(m cluster.Member) memberView {
	v := memberView{Name: m.Name, DC: m.Datacenter, Role: m.Role.String(), State: m.State.String(), Home: m.Home}
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
