package dashboard

import (
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

// failovers follows the primaries of the shards. It decides by what it is handed.
type failovers struct {
	homes   map[topology.ShardID]topology.DatacenterID
	primary map[topology.ShardID]string    // the last one known
	seen    map[topology.ShardID][]string  // who held himself for it at the last look
	lost    map[topology.ShardID]time.Time // since when there is none
	list    []failover
	writes  []write
}

func newFailovers(world *topology.Topology) *failovers {
	f := &failovers{homes: map[topology.ShardID]topology.DatacenterID{}, primary: map[topology.ShardID]string{},
		seen: map[topology.ShardID][]string{}, lost: map[topology.ShardID]time.Time{}}
	for _, s := range world.Shards {
		f.homes[s.ID] = world.HomeOf(s.ID)
	}
	return f
}

// look takes a status, and tells what it means.
func (f *failovers) look(status cluster.Status, now time.Time) (list []happening, changed bool) {
	tell := func(kind, format string, a ...any) {
		list = append(list, happening{now.UnixMilli(), kind, fmt.Sprintf(format, a...)})
	}
	for shard := range f.homes {
		var seen []string
		for _, m := range status.Primaries(shard) {
			seen = append(seen, m.Name)
		}
		old, next := f.primary[shard], f.next(shard, seen)
		f.seen[shard] = seen
		lostAt, without := f.lost[shard]
		switch {
		case next == "" && !without && old != "":
			f.lost[shard] = now
			tell(bad, "%s has no primary: an election begins", shard)
		case next == "":
		case old == "":
			f.primary[shard] = next
		case next != old:
			f.elected(shard, old, next, lostAt, now)
			tell(good, "%s: %s is primary in place of %s", shard, next, old)
			changed = true
		case without:
			f.elected(shard, old, old, lostAt, now)
			tell(good, "%s: %s is primary again", shard, old)
			changed = true
		}
	}
	return list, changed
}

// next is the shard's primary among those that hold themselves for it. While a datacenter is cut off there may be two: the one that was not there at the last look
// was elected.
func (f *failovers) next(shard topology.ShardID, seen []string) string {
	for _, name := range seen {
		if name != f.primary[shard] && !slices.Contains(f.seen[shard], name) {
			return name
		}
	}
	switch {
	case len(seen) == 0:
		return ""
	case slices.Contains(seen, f.primary[shard]):
		return f.primary[shard]
	default:
		return seen[0]
	}
}

func (f *failovers) elected(shard topology.ShardID, from, to string, lostAt, now time.Time) {
	one := failover{Shard: shard, From: from, To: to, At: now.UnixMilli(), lostAt: lostAt, seenAt: now}
	if lostAt.IsZero() {
		one.lostAt = now
	}
	one.Gap = millis(now.Sub(one.lostAt))
	for _, w := range f.writes {
		one.over(w, f.homes[shard])
	}
	f.primary[shard] = to
	delete(f.lost, shard)
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
		changed = f.list[i].over(w, f.homes[f.list[i].Shard]) || changed
	}
	return changed
}

// without is for how long each shard has had no primary.
func (f *failovers) without(now time.Time) map[topology.ShardID]time.Duration {
	m := map[topology.ShardID]time.Duration{}
	for shard, since := range f.lost {
		m[shard] = max(now.Sub(since), time.Millisecond)
	}
	return m
}

// shown is a copy for the page.
func (f *failovers) shown() []failover { return append([]failover{}, f.list...) }
