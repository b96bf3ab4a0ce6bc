package replica

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
)

// A Status is the part of replSetGetStatus that is used.
type Status struct {
	MyState    int      `bson:"myState"`
	SyncSource string   `bson:"syncSourceHost"`
	Members    []Copier `bson:"members"`
}

// A Copier is one member as another one sees it.
type Copier struct {
	Name    string    `bson:"name"`
	State   int       `bson:"state"`
	Self    bool      `bson:"self"`
	Applied time.Time `bson:"lastAppliedWallTime"`
}

// MongoDB's numbers of member states.
const (
	statePrimary   = 1
	stateSecondary = 2
	stateArbiter   = 7
)

// Primary returns the member that is held for the primary.
func (s Status) Primary() (Copier, bool) {
	for _, m := range s.Members {
		if m.State == statePrimary {
			return m, true
		}
	}
	return Copier{}, false
}

func (s Status) works() bool {
	return s.MyState == statePrimary || s.MyState == stateSecondary || s.MyState == stateArbiter
}

func (s Status) applied() time.Time {
	for _, m := range s.Members {
		if m.Self {
			return m.Applied
		}
	}
	return time.Time{}
}

// Ask asks a member for the state of its set.
func Ask(ctx context.Context, m Member) (Status, error) {
	var s Status
	err := m.Run(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}, &s)
	return s, err
}

// A Look is what one member said about itself.
type Look struct {
	Member cluster.Member
	// Applied is when the newest operation it has was made; zero when that is not known.
	Applied time.Time
}

// Unasked is what is known of a member without asking it.
func Unasked(m Member) Look {
	n := m.Node()
	return Look{Member: cluster.Member{
		Name: n.Name, Shard: n.Shard, Datacenter: n.DC, Host: m.Advertised(), Role: declared[n.Kind], Home: n.Home && n.Kind != layout.Core,
	}}
}

// At asks a running member what it does.
func At(ctx context.Context, m Member) Look {
	l, kind := Unasked(m), m.Node().Kind
	if kind == layout.Router {
		h, err := Greet(ctx, m)
		l.Member.State, l.Member.Detail = stateFrom(err, h.Routes())
		return l
	}
	status, err := Ask(ctx, m)
	l.Member.State, l.Member.Detail = stateFrom(err, status.works())
	l.Applied = status.applied()
	switch {
	case err != nil:
	case kind == layout.Config && status.MyState == statePrimary:
		l.Member.Role = cluster.RoleConfigPrimary
	case kind == layout.Data && status.MyState == statePrimary:
		l.Member.Role = cluster.RolePrimary
	case kind == layout.Data && status.MyState == stateSecondary:
		l.Member.Role = cluster.RoleSecondary
	}
	return l
}

func stateFrom(err error, working bool) (cluster.State, string) {
	switch {
	case err != nil:
		return cluster.StateUnreachable, err.Error()
	case working:
		return cluster.StateUp, ""
	default:
		return cluster.StateStarting, ""
	}
}

// withLags compares the members of each shard with the newest operation of their primary.
func withLags(looks []Look) []cluster.Member {
	newest := map[string]time.Time{}
	for _, l := range looks {
		if l.Member.Role == cluster.RolePrimary && l.Applied.After(newest[string(l.Member.Shard)]) {
			newest[string(l.Member.Shard)] = l.Applied
		}
	}
	members := make([]cluster.Member, len(looks))
	for i, l := range looks {
		members[i] = l.Member
		reference, known := newest[string(l.Member.Shard)]
		if l.Member.Role == cluster.RoleSecondary && known && !l.Applied.IsZero() {
			lag := cluster.Duration(max(0, reference.Sub(l.Applied)))
			members[i].Lag = &lag
		}
	}
	return members
}
