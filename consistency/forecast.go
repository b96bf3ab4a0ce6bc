package consistency

import (
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/topology"
)

// A Span is what operations take. Median is for operations that find the shard's members at rest, as most do where not many write at a time. The others
// are for operations one after the other without a pause, from one client: each meets the members' reports of the one before, which may save it a
// part of a round trip or cost it one more. Acknowledgements by two datacenters then take one round trip and two in turn.
type Span struct {
	Least, Median, Mean, Most time.Duration
}

// An Estimate is what operations on the records of one shard take for clients in one datacenter. A nil span is an operation that never
// succeeds.
type Estimate struct {
	Datacenter topology.DatacenterID
	Shard      topology.ShardID
	// Home is where the shard's primary is.
	Home topology.DatacenterID
	// Local is true when the primary is in the client's own datacenter.
	Local       bool
	Write, Read *Span
}

// Forecast estimates a profile's latencies for clients in each datacenter and the records of each shard, from the topology's links alone: no
// faults, no load, primaries at home, and members that copy from whom sources says. Jitter, bandwidth and the time of large operations come on top. A read of a causal session that meets a
// member behind its token waits for that member; this is not in it either.
func Forecast(p Profile, world *topology.Topology, model Model, sources Sources) []Estimate {
	var all []Estimate
	for _, dc := range world.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue // clients never live there
		}
		for _, shard := range world.Shards {
			c := client{setOf(world, shard), dc.ID, model, sources[shard.ID]}
			all = append(all, Estimate{
				Datacenter: dc.ID, Shard: shard.ID, Home: c.home, Local: c.home == dc.ID, Write: spanOf(c.writes(p.Write)), Read: c.reads(p),
			})
		}
	}
	return all
}

// spanOf is nil for operations that never succeed. The first latency is the one at rest.
func spanOf(all []time.Duration) *Span {
	if all == nil {
		return nil
	}
	var sum time.Duration
	for _, one := range all[1:] {
		sum += one
	}
	return &Span{Least: slices.Min(all), Median: all[0], Mean: sum / time.Duration(len(all)-1), Most: slices.Max(all)}
}

func (c client) reads(p Profile) *Span {
	if p.Read.Concern == "linearizable" {
		// The primary writes a no-op and waits for a majority of it before it answers.
		return spanOf(c.noops())
	}
	at, ok := c.readDatacenter(p)
	if !ok {
		return nil
	}
	rtt := c.world.RTT(c.from, at) + c.model.Operation
	if p.Read.Concern == "snapshot" {
		return c.snapshotSpan(rtt, at)
	}
	return &Span{rtt, rtt, rtt, rtt}
}

// snapshotSpan is for a read that has something new to wait for: whichever member answers, it waits until a majority has everything up to the newest time
// that the router knows. It lets the primary write a no-op; a majority has that; the primary's journal is written the next time, which was measured to be
// what ends the wait; and the word of it comes to the member the way that writes come. Where nothing was written anywhere since the last read it need not wait.
func (c client) snapshotSpan(rtt time.Duration, at topology.DatacenterID) *Span {
	atHome := c
	atHome.from = c.home
	majority := spanOf(atHome.writes(Write{Majority: true}))
	if majority == nil {
		return nil
	}
	ways := rtt + c.world.RTT(at, c.home)/2 + c.copyTime(at)
	return &Span{
		Least: rtt, Median: ways + majority.Median + journalInterval/2, Mean: ways + majority.Mean + journalInterval/2, Most: ways + majority.Most + journalInterval,
	}
}

// copyTime is how long a write is on its way to the member of a datacenter.
func (c client) copyTime(at topology.DatacenterID) (total time.Duration) {
	s := &simulation{client: c}
	s.connect()
	i := slices.IndexFunc(s.holders, func(h *holder) bool { return h.DC == at })
	if i < 0 || at == s.home {
		return 0
	}
	for h, left := s.holders[i], len(s.holders)-1; h != nil && left > 0; h, left = h.source, left-1 { // members that copy from one another in a circle get nothing
		total += h.rtt / 2
	}
	return total
}

// readDatacenter is where the member is that the read preference chooses.
func (c client) readDatacenter(p Profile) (topology.DatacenterID, bool) {
	nearest, found := c.nearestCarrier(p)
	switch mode := p.mode(); {
	case mode == readpref.NearestMode || mode == readpref.SecondaryMode || mode == readpref.SecondaryPreferredMode && found:
		return nearest, found
	default:
		return c.home, true // primary, and primaryPreferred while there is one
	}
}

// nearestCarrier is where the nearest member is that carries the first tag set that anybody carries.
func (c client) nearestCarrier(p Profile) (topology.DatacenterID, bool) {
	sets := p.tagSets(c.from)
	if len(sets) == 0 {
		sets = append(sets, nil) // without tags everybody will do
	}
	for _, set := range sets {
		if members := carriers(c.readers(p.mode()), set); len(members) > 0 {
			return c.nearest(c.from, members), true
		}
	}
	return "", false
}
