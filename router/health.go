package router

import "time"

// Electing stands for the datacenter of a shard's primary while the shard has none.
const Electing DC = 255

// A Health is what a gateway knows of the world at one moment. It does not change once it is made. Its zero value says that everything is
// well: every application answers, every primary is at home, and round trips are as declared.
type Health struct {
	// Down are the datacenters whose application does not answer, by this gateway's own judgement.
	Down DCSet
	// Leaderless are the datacenters whose new records cannot be written, and not just for the time of an election: their shard has had no primary for too long.
	// New records are made elsewhere then, unless there is no elsewhere.
	Leaderless DCSet
	// Primaries has the datacenter of each shard's primary, by the shard's number in the table. NoDC means that it is not known and taken to
	// be at home; Electing means that there is none. Shards beyond its end are unknown too.
	Primaries []DC
	// RTT has the measured round trip to each datacenter, by its DC. 0, and beyond its end, means not measured: the declared one counts.
	RTT []time.Duration
}

// primary is the datacenter of a shard's primary.
func (h *Health) primary(shard uint16) DC { return at(h.Primaries, shard) }
