package consistency

import (
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/topology"
)

// A Span is what operations take: the quickest, the median, the mean and the slowest of many, one after the other from one client.
//
// Acknowledgements by two datacenters often take one round trip and two in turn. Then the median stands on an edge, and the upper of the two is
// given, where measured ones were as well; the mean, one and a half, says more.
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
	// ReadAtLeast is true for linearizable reads: the least that they take is known, and the median is above the span's. On 6.0.5 they waited as
	// a majority write does, and about every second one up to a round trip longer; why is not known, so it is not modelled.
	ReadAtLeast bool
}

// Forecast estimates a profile's latencies for clients in each datacenter and the records of each shard, from the topology's links alone: no
// faults, no load, primaries at home. Jitter, bandwidth and the time of large operations come on top. A read of a causal session that meets a
// member behind its token waits for that member; this is not in it either.
func Forecast(p Profile, world *topology.Topology, model Model) []Estimate {
	var all []Estimate
	for _, dc := range world.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue // clients never live there
		}
		for _, shard := range world.Shards {
			home := world.HomeOf(shard.ID)
			all = append(all, Estimate{
				Datacenter: dc.ID, Shard: shard.ID, Home: home, Local: home == dc.ID,
				Write: spanOf(writeLatencies(world, shard, dc.ID, p.Write, model)),
				Read:  readSpan(p, world, shard, dc.ID, model), ReadAtLeast: p.Read.Concern == "linearizable",
			})
		}
	}
	return all
}

// spanOf is nil for no latencies.
func spanOf(latencies []time.Duration) *Span {
	if len(latencies) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(latencies))
	var sum time.Duration
	for _, l := range sorted {
		sum += l
	}
	n := len(sorted)
	return &Span{Least: sorted[0], Median: sorted[n/2], Mean: sum / time.Duration(n), Most: sorted[n-1]}
}

func readSpan(p Profile, world *topology.Topology, shard topology.Shard, from topology.DatacenterID, model Model) *Span {
	noop := spanOf(noopLatencies(world, shard, from, model))
	if p.Read.Concern == "linearizable" {
		return noop // the primary writes a no-op and waits for a majority of it before it answers
	}
	rtt, ok := readDistance(p, world, shard, from)
	if !ok {
		return nil
	}
	rtt += model.Operation
	if p.Read.Concern == "snapshot" && noop != nil {
		// Whichever member answers waits until a majority has everything up to the newest time that the router knows; the primary writes a no-op for it. Where
		// nothing was written anywhere since the last read it need not wait.
		return &Span{Least: min(rtt, noop.Least), Median: max(rtt, noop.Median), Mean: max(rtt, noop.Mean), Most: max(rtt, noop.Most)}
	}
	return &Span{rtt, rtt, rtt, rtt}
}

// readDistance is the round trip to the member that the read preference chooses.
func readDistance(p Profile, world *topology.Topology, shard topology.Shard, from topology.DatacenterID) (time.Duration, bool) {
	home := world.HomeOf(shard.ID)
	toPrimary := world.RTT(from, home)
	secondaries := dataMembers(world, shard)
	if i := slices.IndexFunc(secondaries, func(m topology.Member) bool { return m.DC == home }); i >= 0 {
		secondaries = slices.Delete(secondaries, i, i+1) // the primary
	}
	nearest, found := nearestCarrier(p, world, secondaries, from)
	switch p.mode() {
	case readpref.NearestMode:
		if toHome, ok := nearestCarrier(p, world, dataMembers(world, shard), from); ok {
			return toHome, true
		}
		return 0, false
	case readpref.SecondaryMode:
		return nearest, found
	case readpref.SecondaryPreferredMode:
		if found {
			return nearest, true
		}
		return toPrimary, true
	default:
		return toPrimary, true // primary, and primaryPreferred while there is one
	}
}

// nearestCarrier is the round trip to the nearest of the members that carry the first tag set that anybody carries.
func nearestCarrier(p Profile, world *topology.Topology, members []topology.Member, from topology.DatacenterID) (time.Duration, bool) {
	sets := p.tagSets(from)
	if len(sets) == 0 {
		sets = append(sets, nil) // without tags everybody will do
	}
	for _, set := range sets {
		best, found := time.Duration(0), false
		for _, m := range members {
			carries := !slices.ContainsFunc(set, func(t tag.Tag) bool { return t.Name != datacenterTag || t.Value != string(m.DC) })
			if rtt := world.RTT(from, m.DC); carries && (!found || rtt < best) {
				best, found = rtt, true
			}
		}
		if found {
			return best, true
		}
	}
	return 0, false
}
