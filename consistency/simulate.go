package consistency

import (
	"container/heap"
	"slices"
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

// Model60 was fitted on MongoDB 6.0.5, local disks, members behind emulated links on a machine of two cores, which are a part of Apply. docs/results/consistency.md
// has the measurements.
//
// A secondary tells the member it copies from how far it is in replSetUpdatePosition, one such report under way at a time: "applied" first, and
// "journaled" when the first has been answered. So a majority, which counts journals, takes two round trips; and an acknowledgement by two
// datacenters one or two, by whether the report of the write before is still under way. A member that copies from another one reports to that one,
// which passes the report on with its own.
var Model60 = Model{ServerVersion: "6.0", Operation: 1500 * time.Microsecond, Apply: 4 * time.Millisecond, Journal: 2 * time.Millisecond}

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

// simulatedWrites are enough for the turns of two secondaries to meet in every way.
const simulatedWrites = 200

// latencies are those of a write that finds all members at rest, and of writes one after the other without a pause, which meet the reports of the one before.
type latencies struct {
	rest   time.Duration
	closed []time.Duration
}

// Sources say from whom members copy: Sources[shard][i] is the number of the member, in the topology's order, that member i copies from, or FromPrimary.
// A shard that is not there has all its members copy from the primary. Servers choose a member that is near and has more (replication chaining, the
// default of settings.chainingAllowed), so who copies from whom is a matter of the moment: replSetGetStatus says it (syncSourceHost).
type Sources map[topology.ShardID][]int

// FromPrimary stands in Sources for the primary.
const FromPrimary = -1

// A copier is a secondary and its reporting.
type copier struct {
	dc topology.DatacenterID
	// source is the copier that it copies from and reports to; nil = the primary. rtt is the round trip to there.
	source *copier
	rtt    time.Duration
	number int
	// What it knows of itself and of those that report to it, and what its last report said, by the copiers' numbers.
	known, sent []progress
	reporting   bool
}

// progress has the numbers of the last writes that a member has.
type progress struct{ applied, journaled int }

// merge keeps the later of what is known and what a report says.
func merge(known, reported []progress) {
	for i, p := range reported {
		known[i] = progress{max(known[i].applied, p.applied), max(known[i].journaled, p.journaled)}
	}
}

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
	heard   []progress    // what the primary has heard of them
	client  time.Duration // round trip from the client to the primary
	idle    bool          // nobody asks for the primary's journal

	now       time.Duration
	events    eventHeap
	order     int
	own       progress // of the primary
	current   int      // the write that the client waits for
	answered  int      // the last one that was acknowledged
	issued    time.Duration
	latencies []time.Duration
}

// writeLatencies simulates one client that writes, waits and writes again. It is false where no write is ever acknowledged.
func writeLatencies(world *topology.Topology, shard topology.Shard, from topology.DatacenterID, w Write, model Model, sources []int) (latencies, bool) {
	return (&simulation{model: model, write: w}).run(world, shard, from, sources)
}

// noopLatencies simulates one client whose reads make the primary write a no-op and wait for a majority of it.
func noopLatencies(world *topology.Topology, shard topology.Shard, from topology.DatacenterID, model Model, sources []int) (latencies, bool) {
	return (&simulation{model: model, write: Write{Majority: true}, idle: true}).run(world, shard, from, sources)
}

func (s *simulation) run(world *topology.Topology, shard topology.Shard, from topology.DatacenterID, sources []int) (latencies, bool) {
	w, home := s.write, world.HomeOf(shard.ID)
	s.home, s.client = home, world.RTT(from, home)
	members := dataMembers(world, shard)
	s.connect(world, shard, sources)
	switch {
	case w.Mode.Name != "":
		s.needed = w.Mode.Datacenters
		if s.needed > len(datacentersOf(members)) {
			return latencies{}, false
		}
	case w.Members > 0:
		s.needed = w.Members
	default: // majority, and the default that is one
		s.needed = min(votingMajority(shard), len(members))
		s.write.Journal = true
	}
	if s.needed > len(members) {
		return latencies{}, false
	}
	s.issue()
	for len(s.events) > 0 && len(s.latencies) < 1+simulatedWrites {
		next := heap.Pop(&s.events).(simEvent)
		s.now = next.at
		next.do()
	}
	if len(s.latencies) < 1+simulatedWrites {
		return latencies{}, false // members that copy from one another in a circle
	}
	return latencies{s.latencies[0], s.latencies[1:]}, true
}

// connect makes the copiers. A source that is the primary, a voter or the member itself counts as the primary.
func (s *simulation) connect(world *topology.Topology, shard topology.Shard, sources []int) {
	byMember, holders := make([]*copier, len(shard.Members)), dataMembers(world, shard)
	homeLeft := false
	for i, m := range shard.Members {
		switch {
		case !slices.Contains(holders, m):
		case m.DC == s.home && !homeLeft:
			homeLeft = true // the primary itself
		default:
			byMember[i] = &copier{dc: m.DC, rtt: world.RTT(s.home, m.DC), number: len(s.copiers)}
			s.copiers = append(s.copiers, byMember[i])
		}
	}
	for i, c := range byMember {
		if c == nil || i >= len(sources) || sources[i] < 0 || sources[i] >= len(byMember) {
			continue
		}
		if from := byMember[sources[i]]; from != nil && from != c {
			c.source, c.rtt = from, world.RTT(from.dc, c.dc)
		}
	}
	s.heard = make([]progress, len(s.copiers))
	for _, c := range s.copiers {
		c.known, c.sent = make([]progress, len(s.copiers)), make([]progress, len(s.copiers))
	}
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
		s.spread(nil, n)
		s.after(s.untilJournal(), func() { s.own.journaled = n; s.acknowledge() })
		s.acknowledge()
	})
}

// untilJournal is how long it takes until what the primary has now is in its journal.
func (s *simulation) untilJournal() time.Duration {
	if !s.idle {
		return s.model.Journal
	}
	if s.current == 1 {
		return journalInterval/2 + s.model.Journal // any moment is as likely as any other
	}
	return journalInterval - s.now%journalInterval + s.model.Journal
}

// spread sends a write to those who copy from a member; nil = the primary.
func (s *simulation) spread(from *copier, n int) {
	for _, c := range s.copiers {
		if c.source == from {
			s.after(c.rtt/2+s.model.Apply, func() { s.copied(c, n) })
		}
	}
}

func (s *simulation) copied(c *copier, n int) {
	c.known[c.number].applied = n
	s.spread(c, n)
	s.report(c)
	s.after(s.model.Journal, func() { c.known[c.number].journaled = n; s.report(c) })
}

// report sends what the copier knows, unless a report is under way; then the answer to that one triggers the next.
func (s *simulation) report(c *copier) {
	if c.reporting || slices.Equal(c.sent, c.known) {
		return
	}
	c.reporting, c.sent = true, slices.Clone(c.known)
	sent := c.sent
	s.after(c.rtt/2, func() {
		if c.source == nil {
			merge(s.heard, sent)
			s.acknowledge()
			return
		}
		merge(c.source.known, sent)
		s.report(c.source)
	})
	s.after(c.rtt, func() { c.reporting = false; s.report(c) })
}

// acknowledge answers the client when enough members have reported the write.
func (s *simulation) acknowledge() {
	if s.answered == s.current || !s.enough() {
		return
	}
	s.answered = s.current
	s.after(s.client/2, func() {
		s.latencies = append(s.latencies, s.now-s.issued)
		s.issue()
	})
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
	for i, c := range s.copiers {
		if reached(s.heard[i]) {
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
