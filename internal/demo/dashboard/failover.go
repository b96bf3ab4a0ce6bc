package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A failover is a change of a shard's primary, as it was seen.
type failover struct {
	Shard topology.ShardID `json:"shard"`
	From  string           `json:"from"`
	To    string           `json:"to"`
	// At is when the new primary was seen; Gap, how long none was seen before.
	At  int64   `json:"at"`
	Gap float64 `json:"gap"`
	// Longest is the longest that an acknowledged write of the shard's records took over it, 0 = none was under way.
	Longest float64 `json:"longest"`
	lostAt  time.Time
	seenAt  time.Time
}

// A write is an acknowledged write of a record at home in a datacenter.
type write struct {
	home         topology.DatacenterID
	began, ended time.Time
}

const (
	keptFailovers = 12
	// keptWrites are those that may have ended before the new primary was seen.
	keptWrites = 200
)

// A led is what is known of a shard's primary.
type led struct {
	primary string    // the last one known
	seen    []string  // who held himself for it at the last look
	lost    time.Time // since when there is none; zero = there is one
}

// failovers follows the primaries of the shards. It decides by what it is handed.
type failovers struct {
	world  *topology.Topology
	shards map[topology.ShardID]*led
	list   []failover
	writes []write
}

func newFailovers(world *topology.Topology) *failovers {
	f := &failovers{world: world, shards: map[topology.ShardID]*led{}}
	for _, shard := range world.Shards {
		f.shards[shard.ID] = &led{}
	}
	return f
}

// look takes a status, and tells what it means.
func (f *failovers) look(status cluster.Status, now time.Time) (list []happening, changed bool) {
	tell := func(kind, format string, a ...any) {
		list = append(list, happened(now, kind, format, a...))
	}
	for shard, s := range f.shards {
		var seen []string
		for _, m := range status.Primaries(shard) {
			seen = append(seen, m.Name)
		}
		old, next, lost := s.primary, s.next(seen), !s.lost.IsZero()
		s.seen = seen
		switch {
		case next == "" && !lost && old != "":
			s.lost = now
			tell(bad, "%s has no primary: an election begins", shard)
		case next == "":
		case old == "":
			s.primary = next
		case next != old:
			f.elected(shard, next, now)
			tell(good, "%s: %s is primary in place of %s", shard, next, old)
			changed = true
		case lost:
			f.elected(shard, old, now)
			tell(good, "%s: %s is primary again", shard, old)
			changed = true
		}
	}
	return list, changed
}

// next is the shard's primary among those that hold themselves for it. While a datacenter is cut off there may be two: the one that was not there at the last look
// was elected.
func (s *led) next(seen []string) string {
	for _, name := range seen {
		if name != s.primary && !slices.Contains(s.seen, name) {
			return name
		}
	}
	switch {
	case len(seen) == 0:
		return ""
	case slices.Contains(seen, s.primary):
		return s.primary
	default:
		return seen[0]
	}
}

func (f *failovers) elected(shard topology.ShardID, to string, now time.Time) {
	s := f.shards[shard]
	one := failover{Shard: shard, From: s.primary, To: to, At: now.UnixMilli(), lostAt: cmp.Or(s.lost, now), seenAt: now}
	one.Gap = millis(now.Sub(one.lostAt))
	for _, w := range f.writes {
		one.over(w, f.world.HomeOf(shard))
	}
	s.primary, s.lost = to, time.Time{}
	f.list = append(f.list, one)
	if len(f.list) > keptFailovers {
		f.list = f.list[1:]
	}
}

// over counts a write that was under way when the primary changed.
func (o *failover) over(w write, home topology.DatacenterID) bool {
	took := millis(w.ended.Sub(w.began))
	if w.home != home || w.began.After(o.seenAt) || w.ended.Before(o.lostAt) || took <= o.Longest {
		return false
	}
	o.Longest = took
	return true
}

// wrote takes an acknowledged write, and reports whether a failover was longer than was known.
func (f *failovers) wrote(w write) (changed bool) {
	f.writes = append(f.writes, w)
	if len(f.writes) > keptWrites {
		f.writes = f.writes[1:]
	}
	for i := range f.list {
		changed = f.list[i].over(w, f.world.HomeOf(f.list[i].Shard)) || changed
	}
	return changed
}

// without is for how long each shard has had no primary.
func (f *failovers) without(now time.Time) map[topology.ShardID]time.Duration {
	m := map[topology.ShardID]time.Duration{}
	for shard, s := range f.shards {
		if !s.lost.IsZero() {
			m[shard] = max(now.Sub(s.lost), time.Millisecond)
		}
	}
	return m
}

// shown is a copy for the page.
func (f *failovers) shown() []failover { return append([]failover{}, f.list...) }

// The kinds of happenings, by which the page colours them.
const (
	good = "good" // something came back
	bad  = "bad"  // something was lost
	info = "info" // something else
	done = "done" // somebody pressed a button
)

// A happening is a line of the page's log.
type happening struct {
	At   int64  `json:"at"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

func happened(at time.Time, kind, format string, a ...any) happening {
	return happening{at.UnixMilli(), kind, fmt.Sprintf(format, a...)}
}

// changes tells what is different between two looks at the cluster. Primaries are the failovers' part.
func changes(before, after cluster.Status) (list []happening) {
	tell := func(kind, format string, a ...any) {
		list = append(list, happened(after.Taken, kind, format, a...))
	}
	for _, m := range after.Members {
		old, known := before.Member(m.Name)
		if !known || old.State == m.State {
			continue
		}
		if m.State == cluster.StateUp {
			tell(good, "%s is up again", m.Name)
		} else {
			tell(bad, "%s is %s", m.Name, m.State)
		}
	}
	for _, f := range after.Faults {
		if !slices.Contains(before.Faults, f) {
			tell(bad, "network: %s", f)
		}
	}
	for _, f := range before.Faults {
		if !slices.Contains(after.Faults, f) {
			tell(good, "network: no more %s", f)
		}
	}
	return list
}
