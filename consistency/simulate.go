package consistency

import (
	"cmp"
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

// Sources say from whom members copy: Sources[shard][i] is the number of the member, in the topology's order, that member i copies from, or FromPrimary.
// A shard that is not there has all its members copy from the primary. Servers choose a member that is near and has more (replication chaining, the
// default of settings.chainingAllowed), so who copies from whom is a matter of the moment: replSetGetStatus says it (syncSourceHost).
type Sources map[topology.ShardID][]int

// FromPrimary stands in Sources for the primary.
const FromPrimary = -1

// A client is one whose operations on the records of a shard are forecast.
type client struct {
	replicaSet
	from    topology.DatacenterID
	model   Model
	sources []int // Sources of the shard
}

// writes are the latencies when the client writes, waits and writes again: the first write finds all members at rest, and the others, without a pause, meet
// the reports of the one before. It is nil where no write is ever acknowledged.
func (c client) writes(w Write) []time.Duration { return (&simulation{client: c, write: w}).run() }

// noops are the latencies of reads that make the primary write a no-op and wait for a majority of it.
func (c client) noops() []time.Duration {
	return (&simulation{client: c, write: Write{Majority: true}, idle: true}).run()
}

// A holder is a member with data and its reporting.
type holder struct {
	topology.Member
	// source is the holder that it copies from and reports to; nil = it is the primary. rtt is the round trip to there.
	source *holder
	rtt    time.Duration
	number int
	// What it knows of itself and of those that report to it, and what its last report said, by the holders' numbers.
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
	at time.Duration
	do func()
}

type simulation struct {
	client
	write   Write
	needed  int       // members, or datacenters for a mode
	holders []*holder // the first is the primary
	idle    bool      // nobody asks for the primary's journal

	now       time.Duration
	events    []simEvent // the next one first; at equal times those that were planned first
	current   int        // the write that the client waits for
	answered  int        // the last one that was acknowledged
	issued    time.Duration
	latencies []time.Duration
}

func (s *simulation) run() []time.Duration {
	switch w := &s.write; {
	case w.Mode.Name != "":
		s.needed = w.Mode.Datacenters
	case w.Members > 0:
		s.needed = w.Members
	default: // majority, and the default that is one
		s.needed, w.Journal = s.writeMajority(), true
	}
	if s.needed > s.votes(s.data) {
		return nil
	}
	s.connect()
	s.issue()
	for len(s.events) > 0 && len(s.latencies) < 1+simulatedWrites {
		next := s.events[0]
		s.events, s.now = s.events[1:], next.at
		next.do()
	}
	if len(s.latencies) < 1+simulatedWrites {
		return nil // members that copy from one another in a circle
	}
	return s.latencies
}

// votes is what members count for that have a write.
func (s *simulation) votes(members []topology.Member) int {
	if s.write.Mode.Name != "" {
		return len(datacentersOf(members))
	}
	return len(members)
}

// connect makes the copiers. A source that is the primary, a voter or the member itself counts as the primary.
func (s *simulation) connect() {
	primary := &holder{Member: topology.Member{DC: s.home}}
	s.holders = []*holder{primary}
	byMember := make([]*holder, len(s.Members))
	for i, m := range s.Members {
		switch {
		case s.world.Arbiter(m):
		case m.DC == s.home && !slices.Contains(byMember, primary):
			byMember[i] = primary
		default:
			byMember[i] = &holder{Member: m, source: primary, number: len(s.holders)}
			s.holders = append(s.holders, byMember[i])
		}
	}
	for i, h := range byMember {
		if h == nil || h == primary {
			continue
		}
		if i < len(s.sources) && s.sources[i] >= 0 && s.sources[i] < len(byMember) {
			if from := byMember[s.sources[i]]; from != nil && from != h {
				h.source = from
			}
		}
		h.rtt = s.world.RTT(h.source.DC, h.DC)
	}
	for _, h := range s.holders {
		h.known, h.sent = make([]progress, len(s.holders)), make([]progress, len(s.holders))
	}
}

func (s *simulation) after(d time.Duration, do func()) {
	s.events = append(s.events, simEvent{s.now + d, do})
	slices.SortStableFunc(s.events, func(a, b simEvent) int { return cmp.Compare(a.at, b.at) })
}

// way is how long a message is on its way between the client and the primary.
func (s *simulation) way() time.Duration { return s.world.RTT(s.from, s.home) / 2 }

// issue sends the next write. It is on its way to the secondaries when the primary has it.
func (s *simulation) issue() {
	s.current++
	n := s.current
	s.issued = s.now
	s.after(s.way()+s.model.Operation, func() { s.has(s.holders[0], n) })
}

// has is what happens when a holder has a write: those who copy from it get it next.
func (s *simulation) has(h *holder, n int) {
	h.known[h.number].applied = n
	for _, next := range s.holders {
		if next.source == h {
			s.after(next.rtt/2+s.model.Apply, func() { s.has(next, n) })
		}
	}
	s.report(h)
	s.after(s.untilJournal(h), func() { h.known[h.number].journaled = n; s.report(h) })
}

// untilJournal is how long it takes until what a holder has now is in its journal.
func (s *simulation) untilJournal(h *holder) time.Duration {
	if !s.idle || h.source != nil {
		return s.model.Journal
	}
	if s.current == 1 {
		return journalInterval/2 + s.model.Journal // any moment is as likely as any other
	}
	return journalInterval - s.now%journalInterval + s.model.Journal
}

// report sends what the holder knows, unless a report is under way; then the answer to that one triggers the next. The primary reports to the client.
func (s *simulation) report(h *holder) {
	if h.source == nil {
		s.acknowledge()
		return
	}
	if h.reporting || slices.Equal(h.sent, h.known) {
		return
	}
	h.reporting, h.sent = true, slices.Clone(h.known)
	sent := h.sent
	s.after(h.rtt/2, func() {
		merge(h.source.known, sent)
		s.report(h.source)
	})
	s.after(h.rtt, func() { h.reporting = false; s.report(h) })
}

// acknowledge answers the client when enough members have reported the write.
func (s *simulation) acknowledge() {
	if s.answered == s.current || !s.enough() {
		return
	}
	s.answered = s.current
	s.after(s.way(), func() {
		s.latencies = append(s.latencies, s.now-s.issued)
		s.issue()
	})
}

func (s *simulation) enough() bool {
	var have []topology.Member
	for i, p := range s.holders[0].known {
		done := p.applied
		if s.write.Journal {
			done = p.journaled
		}
		switch {
		case done >= s.current:
			have = append(have, s.holders[i].Member)
		case i == 0 && !s.idle:
			return false // the primary waits for its own journal first
		}
	}
	return s.votes(have) >= s.needed
}
