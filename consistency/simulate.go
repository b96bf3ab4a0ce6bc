package consistency

import (
	"container/heap"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A Model is what a server of one version adds to the round trips, and how its members report. Figures for another version need a model of
// its own: since 8.0, for example, a majority has written an entry to the oplog, not applied it.
type Model struct {
	// ServerVersion is the version that the model was fitted on.
	ServerVersion string `json:"serverVersion"`
	// Operation is what the primary itself takes for a small operation, with the way through a query router in the same datacenter.
	Operation time.Duration `json:"operation"`
	// Apply is from an entry's arrival at a secondary to its report; Journal is what the disk takes, on any member.
	Apply   time.Duration `json:"apply"`
	Journal time.Duration `json:"journal"`
}

// Model60 was fitted on MongoDB 6.0.5, local disks, members behind emulated links. docs/results/local-cluster.md has the measurements.
//
// A secondary tells the member it copies from how far it is in replSetUpdatePosition, one such report under way at a time: "applied" first, and
// "journaled" when the first has been answered. So a majority, which counts journals, takes two round trips; and an acknowledgement by two
// datacenters one or two, by whether the report of the write before is still under way. Members copy from the primary here; chained
// replication, which servers may choose where it is shorter, is not modelled.
var Model60 = Model{ServerVersion: "6.0", Operation: 400 * time.Microsecond, Apply: 300 * time.Microsecond, Journal: 2 * time.Millisecond}

// ModelOf returns the model that was fitted on the release that a server version ("6.0.5") belongs to; false when none was.
func ModelOf(serverVersion string) (Model, bool) {
	if serverVersion == Model60.ServerVersion || strings.HasPrefix(serverVersion, Model60.ServerVersion+".") {
		return Model60, true
	}
	return Model{}, false
}

// journalInterval is how often a server writes its journal when nobody asks for it (storage.journal.commitIntervalMs). A write that waits for a majority
// asks the primary's; the no-op of a linearizable or a snapshot read does not. So where two members that are near have no majority without the primary, such
// a read waits for that.
const journalInterval = 100 * time.Millisecond

const (
	// simulatedWrites are enough for the turns of two secondaries to meet in every way.
	simulatedWrites = 200
	// warmUp are writes that find every secondary idle, as no later one does.
	warmUp = 1
)

// A copier is a secondary and its reporting.
type copier struct {
	dc  topology.DatacenterID
	rtt time.Duration
	// Numbers of writes: what the copier has, what the report under way says, what the primary has heard.
	have, sent, heard progress
	reporting         bool
}

type progress struct{ applied, journaled int }

// An event of the simulation: do runs at the time.
type simEvent struct {
	at    time.Duration
	order int // first come, first served at equal times
	do    func()
}

type simulation struct {
	model   Model
	write   Write
	needed  int // members, or datacenters for a mode
	home    topology.DatacenterID
	copiers []*copier
	client  time.Duration // round trip from the client to the primary
	idle    bool          // nobody asks for the primary's journal

	now       time.Duration
	events    eventHeap
	order     int
	own       progress // of the primary
	current   int      // the write that the client waits for
	issued    time.Duration
	latencies []time.Duration
}

// writeLatencies simulates one client that writes, waits and writes again. It returns nil where no write is ever acknowledged.
func writeLatencies(world *topology.Topology, shard topology.Shard, from topology.DatacenterID, w Write, model Model) []time.Duration {
	return (&simulation{model: model, write: w}).run(world, shard, from)
}

// noopLatencies simulates one client whose reads make the primary write a no-op and wait for a majority of it.
func noopLatencies(world *topology.Topology, shard topology.Shard, from topology.DatacenterID, model Model) []time.Duration {
	return (&simulation{model: model, write: Write{Majority: true}, idle: true}).run(world, shard, from)
}

func (s *simulation) run(world *topology.Topology, shard topology.Shard, from topology.DatacenterID) []time.Duration {
	w, home := s.write, world.HomeOf(shard.ID)
	s.home, s.client = home, world.RTT(from, home)
	members := dataMembers(world, shard)
	homeLeft := false
	for _, m := range members {
		if m.DC == home && !homeLeft {
			homeLeft = true // the primary itself
			continue
		}
		s.copiers = append(s.copiers, &copier{dc: m.DC, rtt: world.RTT(home, m.DC)})
	}
	switch {
	case w.Mode.Name != "":
		s.needed = w.Mode.Datacenters
		if s.needed > len(datacentersOf(members)) {
			return nil
		}
	case w.Members > 0:
		s.needed = w.Members
	default: // majority, and the default that is one
		s.needed = min(votingMajority(shard), len(members))
		s.write.Journal = true
	}
	if s.needed > len(members) {
		return nil
	}
	s.issue()
	for len(s.events) > 0 && len(s.latencies) < warmUp+simulatedWrites {
		next := heap.Pop(&s.events).(simEvent)
		s.now = next.at
		next.do()
	}
	return s.latencies[warmUp:]
}

func (s *simulation) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, simEvent{s.now + d, s.order, do})
}

// issue sends the next write. It is on its way to the secondaries when the primary has it.
func (s *simulation) issue() {
	s.current++
	n := s.current
	s.issued = s.now
	s.after(s.client/2+s.model.Operation, func() {
		s.own.applied = n
		for _, c := range s.copiers {
			s.after(c.rtt/2+s.model.Apply, func() { s.copied(c, n) })
		}
		s.after(s.untilJournal(), func() { s.own.journaled = n; s.acknowledge() })
		s.acknowledge()
	})
}

// untilJournal is how long it takes until what the primary has now is in its journal.
func (s *simulation) untilJournal() time.Duration {
	if !s.idle {
		return s.model.Journal
	}
	return journalInterval - s.now%journalInterval + s.model.Journal
}

func (s *simulation) copied(c *copier, n int) {
	c.have.applied = n
	s.report(c)
	s.after(s.model.Journal, func() { c.have.journaled = n; s.report(c) })
}

// report sends what the copier has, unless a report is under way; then the answer to that one triggers the next.
func (s *simulation) report(c *copier) {
	if c.reporting || c.sent == c.have {
		return
	}
	c.reporting, c.sent = true, c.have
	sent := c.sent
	s.after(c.rtt/2, func() { c.heard = sent; s.acknowledge() })
	s.after(c.rtt, func() { c.reporting = false; s.report(c) })
}

// acknowledge answers the client when enough members have reported the write.
func (s *simulation) acknowledge() {
	if !s.enough() {
		return
	}
	s.after(s.client/2, func() {
		s.latencies = append(s.latencies, s.now-s.issued)
		s.issue()
	})
	s.own = progress{} // no second answer: the next write sets it again
}

func (s *simulation) enough() bool {
	reached := func(p progress) bool {
		if s.write.Journal {
			return p.journaled >= s.current
		}
		return p.applied >= s.current
	}
	members, dcs := 0, map[topology.DatacenterID]bool{}
	if reached(s.own) {
		members, dcs[s.home] = 1, true
	} else if !s.idle {
		return false // the primary waits for its own journal first
	}
	for _, c := range s.copiers {
		if reached(c.heard) {
			members++
			dcs[c.dc] = true
		}
	}
	if s.write.Mode.Name != "" {
		return len(dcs) >= s.needed
	}
	return members >= s.needed
}

// An eventHeap has the earliest event on top.
type eventHeap []simEvent

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *eventHeap) Push(x any) { *h = append(*h, x.(simEvent)) }

// Pop implements heap.Interface.
func (h *eventHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
