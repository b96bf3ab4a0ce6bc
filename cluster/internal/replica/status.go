package replica

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
)

// A Status is the part of replSetGetStatus that is used.
type Status struct {
	MyState    int      `bson:"myState"`
	SyncSource string   `bson:"syncSourceHost"`
	Members    []Copier `bson:"members"`
	Optimes    struct {
		Applied time.Time `bson:"lastAppliedWallTime"`
	} `bson:"optimes"`
}

// A Copier is one member as another one sees it.
type Copier struct {
	Name   string `bson:"name"`
	State  int    `bson:"state"`
	Health int    `bson:"health"` // 1 for one that is reached
}

// MongoDB's numbers of member states.
const (
	statePrimary   = 1
	stateSecondary = 2
	stateArbiter   = 7
)

// primary names the member that is held for the primary; empty when there is none.
func (s Status) primary() string {
	for _, m := range s.Members {
		if m.State == statePrimary {
			return m.Name
		}
	}
	return ""
}

func (s Status) works() bool {
	return s.MyState == statePrimary || s.MyState == stateSecondary || s.MyState == stateArbiter
}

// Ask asks a member for the state of its set.
func Ask(ctx context.Context, m Member) (Status, error) {
	var s Status
	err := m.Run(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}, &s)
	return s, err
}

// answerWithin is how long a status waits for one member.
const answerWithin = time.Second

// look asks a member what it does, if it is up as far as is known. The time is when the newest operation that it has was made; zero when that is not known.
func look(ctx context.Context, m Member, seen cluster.Member) (cluster.Member, time.Time) {
	n := m.Node()
	seen.Name, seen.Shard, seen.Datacenter, seen.Host = n.Name, n.Shard, n.DC, m.Advertised()
	seen.Role, seen.Home = declared[n.Kind], n.Home && n.Kind != layout.Core
	if seen.State != cluster.StateUp {
		return seen, time.Time{}
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	var works bool
	var status Status
	var err error
	if n.Kind == layout.Router {
		var h Hello
		h, err = Greet(ctx, m)
		works = h.Routes()
	} else {
		status, err = Ask(ctx, m)
		works = status.works()
	}
	switch {
	case err != nil:
		seen.State, seen.Detail = cluster.StateUnreachable, err.Error()
		return seen, time.Time{}
	case !works:
		seen.State = cluster.StateStarting
	}
	switch {
	case n.Kind == layout.Config && status.MyState == statePrimary:
		seen.Role = cluster.RoleConfigPrimary
	case n.Kind == layout.Data && status.MyState == statePrimary:
		seen.Role = cluster.RolePrimary
	case n.Kind == layout.Data && status.MyState == stateSecondary:
		seen.Role = cluster.RoleSecondary
	}
	return seen, status.Optimes.Applied
}

// setLags compares the members of each shard with the newest operation of their primary; applied has the newest of each.
func setLags(members []cluster.Member, applied []time.Time) {
	newest := map[topology.ShardID]time.Time{}
	for i, m := range members {
		if m.Role == cluster.RolePrimary && applied[i].After(newest[m.Shard]) {
			newest[m.Shard] = applied[i]
		}
	}
	for i, m := range members {
		reference, known := newest[m.Shard]
		if m.Role == cluster.RoleSecondary && known && !applied[i].IsZero() {
			lag := cluster.Duration(max(0, reference.Sub(applied[i])))
			members[i].Lag = &lag
		}
	}
}
