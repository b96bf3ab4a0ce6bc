package existing

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
)

// A replicaSet is what one reachable member of a shard says about all of them.
type replicaSet struct {
	Status struct {
		Members []struct {
			Name    string    `bson:"name"`
			State   int       `bson:"state"`
			Health  float64   `bson:"health"`
			Message string    `bson:"lastHeartbeatMessage"`
			Applied time.Time `bson:"lastAppliedWallTime"`
		} `bson:"members"`
	}
	Config struct {
		Config struct {
			Members []struct {
				Host     string            `bson:"host"`
				Priority float64           `bson:"priority"`
				Tags     map[string]string `bson:"tags"`
			} `bson:"members"`
		} `bson:"config"`
	}
}

// shard asks the first member of a shard that can be reached; host is as listShards says, "set/host:port,host:port".
func (v *View) shard(ctx context.Context, id topology.ShardID, host string) []cluster.Member {
	_, hosts, _ := strings.Cut(host, "/")
	var set replicaSet
	var err error
	for _, h := range strings.Split(hosts, ",") {
		if set, err = v.ask(ctx, h); err == nil {
			return set.members(id)
		}
	}
	detail := "no address"
	if err != nil {
		detail = redact.Error(err, v.options.URI).Error()
	}
	var members []cluster.Member
	for _, h := range strings.Split(hosts, ",") {
		members = append(members, cluster.Member{Name: string(id) + "/" + h, Shard: id, Host: h, State: cluster.StateUnreachable, Detail: detail})
	}
	return members
}

func (v *View) ask(ctx context.Context, host string) (set replicaSet, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	uri, err := v.memberURI(host)
	if err != nil {
		return set, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).SetDirect(true).SetAppName("geoshard"))
	if err != nil {
		return set, err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	anyone := options.RunCmd().SetReadPreference(readpref.Nearest())
	admin := client.Database("admin")
	if err := admin.RunCommand(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}, anyone).Decode(&set.Status); err != nil {
		return set, err
	}
	return set, admin.RunCommand(ctx, bson.D{{Key: "replSetGetConfig", Value: 1}}, anyone).Decode(&set.Config)
}

// members names each member by its dc tag, or by its host where it has none.
func (s replicaSet) members(id topology.ShardID) []cluster.Member {
	const primary, secondary, arbiter = 1, 2, 7 // MongoDB's numbers of member states
	best, newest := 0.0, time.Time{}
	for _, m := range s.Config.Config.Members {
		best = max(best, m.Priority)
	}
	for _, m := range s.Status.Members {
		if m.State == primary {
			newest = m.Applied
		}
	}
	seen := map[topology.DatacenterID]int{}
	var members []cluster.Member
	homeTaken := false
	for _, declared := range s.Config.Config.Members {
		dc := topology.DatacenterID(declared.Tags["dc"])
		place := dc
		if dc == "" {
			place = topology.DatacenterID(declared.Host)
		}
		seen[place]++
		home := !homeTaken && declared.Priority == best
		homeTaken = homeTaken || home
		m := cluster.Member{
			Name:  cluster.MemberName{Set: string(id), DC: place, Ordinal: seen[place]}.String(),
			Shard: id, Datacenter: dc, Host: declared.Host, Home: home, State: cluster.StateUnreachable,
		}
		for _, now := range s.Status.Members {
			if now.Name != declared.Host {
				continue
			}
			m.Detail = now.Message
			if now.Health == 1 {
				m.State = cluster.StateStarting
			}
			switch now.State {
			case primary:
				m.Role, m.State = cluster.RolePrimary, cluster.StateUp
			case secondary:
				m.Role, m.State = cluster.RoleSecondary, cluster.StateUp
				if lag := cluster.Duration(max(0, newest.Sub(now.Applied))); !newest.IsZero() && !now.Applied.IsZero() {
					m.Lag = &lag
				}
			case arbiter:
				m.Role, m.State = cluster.RoleArbiter, cluster.StateUp
			}
		}
		members = append(members, m)
	}
	return members
}
