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
			home := world.HomeOf(shard.ID)
			all = append(all, Estimate{
				Datacenter: dc.ID, Shard: shard.ID, Home: home, Local: home == dc.ID,
				Write: spanOf(writeLatencies(world, shard, dc.ID, p.Write, model, sources[shard.ID])),
				Read:  readSpan(p, world, shard, dc.ID, model, sources[shard.ID]),
			})
		}
	}
	return all
}

// spanOf is nil for operations that never succeed.
func spanOf(l latencies, ok bool) *Span {
	if !ok {
		return nil
	}
	all := append([]time.Duration{l.rest}, l.closed...)
	var sum time.Duration
	for _, one := range l.closed {
		sum += one
	}
	return &Span{Least: slices.Min(all), Median: l.rest, Mean: sum / time.Duration(len(l.closed)), Most: slices.Max(all)}
}

func readSpan(p Profile, world *topology.Topology, shard topology.Shard, from topology.DatacenterID, model Model, sources []int) *Span {
	if p.Read.Concern == "linearizable" {
		// The primary writes a no-op and waits for a majority of it before it answers.
		return spanOf(noopLatencies(world, shard, from, model, sources))
	}
	at, ok := readDatacenter(p, world, shard, from)
	if !ok {
		return nil
	}
	rtt := world.RTT(from, at) + model.Operation
	if p.Read.Concern == "snapshot" {
		return snapshotSpan(rtt, at, world, shard, model, sources)
	}
	return &Span{rtt, rtt, rtt, rtt}
}

// snapshotSpan is for a read that has something new to wait for: whichever member answers, it waits until a majority has everything up to the newest time
// that the router knows. It lets the primary write a no-op; a majority has that; the primary's journal is written the next time, which was measured to be
// what ends the wait; and the word of it comes to the member the way that writes come. Where nothing was written anywhere since the last read it need not wait.
func snapshotSpan(rtt time.Duration, at topology.DatacenterID, world *topology.Topology, shard topology.Shard, model Model, sources []int) *Span {
	home := world.HomeOf(shard.ID)
	majority := spanOf(writeLatencies(world, shard, home, Write{Majority: true}, model, sources))
	if majority == nil {
		return nil
	}
	ways := rtt + world.RTT(at, home)/2 + copyTime(at, world, shard, sources)
	return &Span{
		Least: rtt, Median: ways + majority.Median + journalInterval/2, Mean: ways + majority.Mean + journalInterval/2, Most: ways + majority.Most + journalInterval,
	}
}

// copyTime is how long a write is on its way to the member of a datacenter.
func copyTime(at topology.DatacenterID, world *topology.Topology, shard topology.Shard, sources []int) (total time.Duration) {
	s := &simulation{home: world.HomeOf(shard.ID)}
	s.connect(world, shard, sources)
	i := slices.IndexFunc(s.copiers, func(c *copier) bool { return c.dc == at })
	if i < 0 || at == s.home {
		return 0
	}
	for c, left := s.copiers[i], len(s.copiers); c != nil && left > 0; c, left = c.source, left-1 { // members that copy from one another in a circle get nothing
		total += c.rtt / 2
	}
	return total
}

// readDatacenter is where the member is that the read preference chooses.
func readDatacenter(p Profile, world *topology.Topology, shard topology.Shard, from topology.DatacenterID) (topology.DatacenterID, bool) {
	home := world.HomeOf(shard.ID)
	nearest, found := nearestCarrier(p, world, secondaries(world, shard), from)
	switch p.mode() {
	case readpref.NearestMode:
		return nearestCarrier(p, world, dataMembers(world, shard), from)
	case readpref.SecondaryMode:
		return nearest, found
	case readpref.SecondaryPreferredMode:
		if found {
			return nearest, true
		}
		return home, true
	default:
		return home, true // primary, and primaryPreferred while there is one
	}
}

// nearestCarrier is where the nearest of the members is that carry the first tag set that anybody carries.
func nearestCarrier(p Profile, world *topology.Topology, members []topology.Member, from topology.DatacenterID) (topology.DatacenterID, bool) {
	sets := p.tagSets(from)
	if len(sets) == 0 {
		sets = append(sets, nil) // without tags everybody will do
	}
	for _, set := range sets {
		best, found := topology.DatacenterID(""), false
		for _, m := range members {
			if carries(m, set) && (!found || world.RTT(from, m.DC) < world.RTT(from, best)) {
				best, found = m.DC, true
			}
		}
		if found {
			return best, true
		}
	}
	return "", false
}
