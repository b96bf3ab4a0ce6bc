package replica

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A Roster is who belongs to a cluster, and which world it is, now and when it has grown. Once it is filled it is safe for concurrent use.
type Roster[M Member] struct {
	all     []M          // in the order of the layout: first those that the cluster starts with, then those that it grows by
	first   int          // how many of them the cluster starts with
	present atomic.Int32 // how many of them belong to the cluster by now
	growing sync.Mutex
	world   atomic.Pointer[topology.Topology]
	grown   *topology.Topology
}

// NewRoster is for a world whose first members are that many. Without a grown one, which is nil, it does not grow.
func NewRoster[M Member](world, grown *topology.Topology, first int) *Roster[M] {
	r := &Roster[M]{first: first, grown: grown}
	r.present.Store(int32(first))
	r.world.Store(world)
	return r
}

// Add adds the next member of the layout.
func (r *Roster[M]) Add(m M) { r.all = append(r.all, m) }

// All are the members, those that the cluster may grow by as well.
func (r *Roster[M]) All() []M { return r.all }

// Members are those that belong to the cluster.
func (r *Roster[M]) Members() []M { return r.all[:min(int(r.present.Load()), len(r.all))] }

// Member is the one of a name, or topology.ErrUnknownMember.
func (r *Roster[M]) Member(name string) (M, error) {
	return Find(r.Members(), name, func(m M) string { return m.Node().Name }, topology.ErrUnknownMember)
}

// Router is the query router of a datacenter, or topology.ErrUnknownDatacenter.
func (r *Roster[M]) Router(dc topology.DatacenterID) (M, error) {
	routers := slices.DeleteFunc(slices.Clone(r.Members()), func(m M) bool { return m.Node().Kind != layout.Router })
	return Find(routers, dc, func(m M) topology.DatacenterID { return m.Node().DC }, topology.ErrUnknownDatacenter)
}

// Find is the one of a name, or the sentinel, with the nearest of those that there are; see cluster.Unknown.
func Find[T any, S ~string](all []T, name S, nameOf func(T) S, sentinel error) (found T, _ error) {
	var known []S
	for _, one := range all {
		if nameOf(one) == name {
			return one, nil
		}
		known = append(known, nameOf(one))
	}
	return found, cluster.Unknown(sentinel, name, known)
}

// Topology is the world as it is now.
func (r *Roster[M]) Topology() *topology.Topology { return r.world.Load() }

// Widest is the world with all that the cluster may grow by.
func (r *Roster[M]) Widest() *topology.Topology {
	return cmp.Or(r.grown, r.world.Load())
}

// Datacenter is nil for a datacenter that there is, and else topology.ErrUnknownDatacenter.
func (r *Roster[M]) Datacenter(dc topology.DatacenterID) error {
	if _, ok := r.Topology().Datacenter(dc); ok {
		return nil
	}
	return cluster.Unknown(topology.ErrUnknownDatacenter, dc, r.Topology().DatacenterIDs())
}

// Grow lets form make the members that the cluster grows by part of it. It does nothing once that has been done; what failed may be repeated. One call goes on at a time.
func (r *Roster[M]) Grow(form func(old, fresh []M) error) error {
	defer r.Hold()()
	if r.Topology() == r.grown {
		return nil
	}
	r.present.Store(int32(len(r.all)))
	if err := form(r.all[:r.first], r.all[r.first:]); err != nil {
		return err
	}
	r.world.Store(r.grown)
	return nil
}

// Hold waits for the end of a Grow that is under way, and keeps others from beginning until it is released.
func (r *Roster[M]) Hold() (release func()) {
	r.growing.Lock()
	return r.growing.Unlock
}

// LookAt looks at all members that belong to the cluster in parallel. condition is what the provider knows of a process: PID, state and detail.
func (r *Roster[M]) LookAt(ctx context.Context, condition func(M) cluster.Member) []cluster.Member {
	members := r.Members()
	seen, applied := make([]cluster.Member, len(members)), make([]time.Time, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() { seen[i], applied[i] = look(ctx, m, condition(m)) })
	}
	all.Wait()
	setLags(seen, applied)
	return seen
}

// Links are links of the emulated network as a status tells them.
func Links(states []wan.LinkState) []cluster.Link {
	var links []cluster.Link
	for _, l := range states {
		links = append(links, cluster.Link{
			Between: [2]topology.DatacenterID{l.A, l.B}, RTT: cluster.Duration(l.RTT), Jitter: cluster.Duration(l.Jitter),
			Bandwidth: l.Bandwidth, Cut: l.CutAB || l.CutBA,
		})
	}
	return links
}
