package local

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// answerWithin is how long a status waits for one member.
const answerWithin = time.Second

// A replicaStatus is the part of replSetGetStatus that is used here.
type replicaStatus struct {
	MyState    int             `bson:"myState"`
	SyncSource string          `bson:"syncSourceHost"`
	Members    []replicaMember `bson:"members"`
}

type replicaMember struct {
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

func (s replicaStatus) primary() (replicaMember, bool) {
	for _, m := range s.Members {
		if m.State == statePrimary {
			return m, true
		}
	}
	return replicaMember{}, false
}

func (s replicaStatus) self() replicaMember {
	for _, m := range s.Members {
		if m.Self {
			return m
		}
	}
	return replicaMember{}
}

func (p *process) replicaStatus(ctx context.Context) (replicaStatus, error) {
	var s replicaStatus
	err := p.command(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}, &s)
	return s, err
}

// A look is what one process said about itself.
type look struct {
	member  cluster.Member
	applied time.Time // of the newest operation; zero when unknown
}

// Status asks every process once, in parallel, through the control plane: faults of the network do not hide a member.
func (c *Cluster) Status(ctx context.Context) (cluster.Status, error) {
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return cluster.Status{}, err
	}
	defer end()
	looks := make([]look, len(c.processes))
	var all sync.WaitGroup
	for i, p := range c.processes {
		all.Go(func() { looks[i] = p.look(ctx) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return cluster.Status{}, fmt.Errorf("ask members of %s: %w", c.Name(), context.Cause(ctx))
	}
	s := cluster.Status{
		Name: c.Name(), Taken: time.Now().UTC(), Started: c.started.UTC(),
		ServerVersion: c.options.Tools.Version, QueryRouter: queryRouter(c.options.Tools),
		Access:  c.security.access(queryRouter(c.options.Tools)),
		Members: withLags(looks), Links: c.links(),
	}
	for _, f := range c.network.Faults() {
		s.Faults = append(s.Faults, f.String())
	}
	return s, nil
}

// withLags compares the members of each shard with the newest operation of their primary.
func withLags(looks []look) []cluster.Member {
	newest := map[string]time.Time{}
	for _, l := range looks {
		if l.member.Role == cluster.RolePrimary && l.applied.After(newest[string(l.member.Shard)]) {
			newest[string(l.member.Shard)] = l.applied
		}
	}
	members := make([]cluster.Member, len(looks))
	for i, l := range looks {
		members[i] = l.member
		reference, known := newest[string(l.member.Shard)]
		if l.member.Role == cluster.RoleSecondary && known && !l.applied.IsZero() {
			lag := cluster.Duration(max(0, reference.Sub(l.applied)))
			members[i].Lag = &lag
		}
	}
	return members
}

var declaredRoles = map[kind]cluster.Role{
	kindArbiter: cluster.RoleArbiter, kindConfig: cluster.RoleConfig, kindRouter: cluster.RoleRouter, kindCore: cluster.RoleRouterCore,
}

func (p *process) look(ctx context.Context) look {
	l := look{member: cluster.Member{
		Name: p.Name, Shard: p.Shard, Datacenter: p.DC, Host: p.advertised(), Role: declaredRoles[p.Kind],
		Home: p.Home && p.Kind != kindCore,
	}}
	m := &l.member
	r := p.current()
	switch {
	case !r.alive():
		m.State = cluster.StateDown
		m.Detail = p.whyDown(r)
		return l
	case p.paused():
		m.PID, m.State = r.id.PID, cluster.StatePaused
		return l
	}
	m.PID = r.id.PID
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if p.Kind == kindRouter {
		h, err := p.hello(ctx)
		m.State, m.Detail = stateFrom(err, h.Msg == "isdbgrid")
		return l
	}
	status, err := p.replicaStatus(ctx)
	m.State, m.Detail = stateFrom(err, status.MyState == statePrimary || status.MyState == stateSecondary || status.MyState == stateArbiter)
	l.applied = status.self().Applied
	switch {
	case err != nil || p.Kind == kindCore || p.Kind == kindArbiter:
	case p.Kind == kindConfig && status.MyState == statePrimary:
		m.Role = cluster.RoleConfigPrimary
	case p.Kind == kindData && status.MyState == statePrimary:
		m.Role = cluster.RolePrimary
	case p.Kind == kindData && status.MyState == stateSecondary:
		m.Role = cluster.RoleSecondary
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

func (p *process) whyDown(r *run) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r == nil:
		return "not started"
	case r.killed:
		return "killed"
	default:
		return fmt.Sprintf("ended by itself: %v; see %s", r.err, p.log)
	}
}

func (c *Cluster) links() []cluster.Link {
	var links []cluster.Link
	for _, l := range c.network.Links() {
		links = append(links, cluster.Link{
			Between: [2]topology.DatacenterID{l.A, l.B}, RTT: cluster.Duration(l.RTT), Jitter: cluster.Duration(l.Jitter),
			Bandwidth: l.Bandwidth, Cut: l.CutAB || l.CutBA,
		})
	}
	return links
}
