package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// multiDatacenterMode is the custom write-concern mode that acknowledges a write once members in two datacenters have it.
const multiDatacenterMode = "multiDatacenter"

// version tells what the servers' versions mean for zones; package serverversion has the rules.
func (l *linter) version() {
	for _, w := range serverversion.Preflight(factsOf(l.state)) {
		severity := zones.SeverityWarning
		if w.Refused {
			severity = zones.SeverityError
		}
		l.add(severity, w.Rule, "cluster", w.Hint, "%s", w.Message)
	}
}

// factsOf are what a state tells of the servers.
func factsOf(s *zones.State) serverversion.Facts {
	f := serverversion.Facts{Shards: len(s.Shards), Balancing: s.Balancer.Running}
	add := func(name, version, fcv string) {
		if version != "" {
			f.Servers = append(f.Servers, serverversion.Server{Name: name, Version: version, FCV: fcv})
		}
	}
	add("the query router", s.RouterVersion, "")
	if s.ConfigServers != nil {
		add("the config servers", s.ConfigServers.Version, s.ConfigServers.FCV)
	}
	for _, shard := range s.Shards {
		add("shard "+string(shard.ID), shard.Version, shard.FCV)
		f.ConfigShard = f.ConfigShard || shard.ID == "config"
	}
	if len(f.Servers) == 0 {
		add("the oldest server", s.Version, "")
	}
	return f
}

// shard checks one shard of the cluster against what is declared of it.
func (l *linter) shard(s zones.Shard) {
	if s.Draining {
		l.warn("shard-draining", s.ID, "", "the shard is being removed from the cluster: the balancer takes all its chunks away")
	}
	drained := slices.Contains(l.world.DrainedShards(), s.ID)
	if inZones := slices.Concat(slices.Collect(maps.Values(l.shards))...); len(l.shards) > 0 && !slices.Contains(inZones, s.ID) && !drained {
		l.warn("shard-in-no-zone", s.ID, "name it in a zone", "the shard is in no zone: it gets only documents that belong to none")
	}
	declared, ok := l.world.Shard(s.ID)
	switch {
	case !ok:
		l.warn("shard-undeclared", s.ID, "declare it in geoshard.yaml", "the cluster has a shard that is not declared")
	case s.Members == nil:
		l.warn("shard-unseen", s.ID, "", "its servers could not be asked for their members, so those are not checked: %s", s.Unseen)
	default:
		s.Members = l.located(declared, s.Members)
		l.members(declared, s)
		l.primary(s)
		l.survival(s, "the shard", "it elects no primary or acknowledges no majority writes", "give the shard the declared members with their votes and priorities")
		l.unread(s)
	}
}

// located gives arbiters, which the server lets have no tags, the places of the declared ones.
func (l *linter) located(declared topology.Shard, members []zones.Member) []zones.Member {
	var free []topology.DatacenterID
	for _, m := range declared.Members {
		if l.world.Arbiter(m) {
			free = append(free, m.DC)
		}
	}
	members = slices.Clone(members)
	for i, m := range members {
		if m.Arbiter && m.DC == "" && len(free) > 0 {
			members[i].DC, free = free[0], free[1:]
		}
	}
	return members
}

// unread tells of members from which nobody reads what the shard holds now.
func (l *linter) unread(s zones.Shard) {
	for _, m := range s.Members {
		switch {
		case m.Delay > 0:
			l.note("member-delayed", m.Host, "", "a member of shard %s is delayed by %d s by design: it does not make reads local, and verify does not look at it", s.ID, m.Delay)
		case m.Hidden:
			l.note("member-hidden", m.Host, "", "a member of shard %s is hidden: no client reads from it, so it does not make reads local in %s", s.ID, orUnknown(m.DC))
		}
	}
}

// members compares numbers for each datacenter: a declared member has no name of its own.
func (l *linter) members(declared topology.Shard, s zones.Shard) {
	for _, m := range s.Members {
		switch {
		case m.DC == "" && m.Arbiter:
			l.warn("arbiter-undeclared", m.Host, "declare it in a datacenter with role: voter, or remove it with rs.remove()", "shard %s has an arbiter that is not declared", s.ID)
		case m.DC == "":
			l.warn("member-untagged", m.Host, "set members[].tags.dc with rs.reconfig()", "a member of shard %s has no tag dc, so nobody knows its datacenter", s.ID)
		}
	}
	for _, dc := range l.world.DatacenterIDs() {
		want := number(declared.Members, func(m topology.Member) bool { return m.DC == dc })
		got := number(s.Members, func(m zones.Member) bool { return m.DC == dc })
		switch {
		case got < want:
			l.fail("member-missing", s.ID, "add the member, or set its tag dc", "it has %d of %s in %s", got, count(want, "declared member", "declared members"), dc)
		case got > want:
			l.warn("member-undeclared", s.ID, "declare it in geoshard.yaml", "it has %d members in %s, where %d are declared", got, dc, want)
		}
	}
	for _, m := range s.Members {
		if _, ok := l.world.Datacenter(m.DC); m.DC != "" && !ok {
			l.warn("member-undeclared", m.Host, "declare the datacenter, or correct the tag", "a member of shard %s is tagged dc: %s, which is not declared", s.ID, m.DC)
		}
	}
}

func (l *linter) primary(s zones.Shard) {
	home := l.world.HomeOf(s.ID)
	at := slices.IndexFunc(s.Members, func(m zones.Member) bool { return m.Primary })
	switch {
	case at < 0:
		l.fail("primary-missing", s.ID, "look at rs.status() of the shard", "the shard has no primary: it takes no writes, and no chunk can move")
	case s.Members[at].DC != home:
		l.warn("primary-away", s.ID, "compare the priorities of rs.conf() with geoshard.yaml",
			"the primary, %s, is in %s, not at home in %s: local writes travel", s.Members[at].Host, orUnknown(s.Members[at].DC), home)
	}
}

func orUnknown(dc topology.DatacenterID) string {
	if dc == "" {
		return "an unknown datacenter"
	}
	return string(dc)
}

// survival checks the declared goal by the members that a replica set has: topology's own rule looks at the declared ones. Without is what happens when it is missed.
func (l *linter) survival(s zones.Shard, name, without, hint string) {
	place := func(m zones.Member) string { return m.Host }
	switch l.world.Survive {
	case topology.SurviveUnstated:
		return
	case topology.SurviveDatacenter:
		place = func(m zones.Member) string { return orUnknown(m.DC) }
	}
	var lost []string
	for _, m := range s.Members {
		left := slices.DeleteFunc(slices.Clone(s.Members), func(other zones.Member) bool { return place(other) == place(m) })
		if m.Votes > 0 && !goesOn(s.Members, left) {
			lost = addOnce(lost, place(m))
		}
	}
	if len(lost) > 0 {
		l.fail("survival", s.ID, hint, "%s would not survive the loss of a %s: without %s %s", name, l.world.Survive, strings.Join(lost, " or "), without)
	}
}

// configServers checks that the set that holds the catalogue survives what the shards are to survive. The topology does not declare its members.
func (l *linter) configServers() {
	c := l.state.ConfigServers
	if c == nil || l.world.Survive == topology.SurviveUnstated {
		return
	}
	untagged := slices.IndexFunc(c.Members, func(m zones.Member) bool { return m.DC == "" && m.Votes > 0 })
	switch {
	case c.Members == nil:
		l.note("config-unseen", c.ID, "", "the config servers could not be asked for their members, so whether they survive the loss of a %s is not checked: %s", l.world.Survive, c.Unseen)
	case l.world.Survive == topology.SurviveDatacenter && untagged >= 0:
		l.warn("member-untagged", c.Members[untagged].Host, "set members[].tags.dc with rs.reconfig() on the config servers",
			"a member of the config servers has no tag dc, so whether they survive the loss of a datacenter is not checked")
	default:
		l.survival(*c, "the config servers", "no chunk moves, no zone changes, and query routers that start find no catalogue",
			"spread the members of their replica set as those of the shards")
	}
}

// goesOn says whether a replica set still elects a primary and acknowledges w: "majority" with those members that are left. A write needs min(majority of the
// voters, voters with data) members.
func goesOn(all, left []zones.Member) bool {
	votes := func(m zones.Member) bool { return m.Votes > 0 }
	data := func(m zones.Member) bool { return m.Votes > 0 && !m.Arbiter }
	majority := number(all, votes)/2 + 1
	return number(left, votes) >= majority && number(left, data) >= min(majority, number(all, data)) &&
		slices.ContainsFunc(left, func(m zones.Member) bool { return m.Priority > 0 && !m.Arbiter })
}

// number is how many items of a list are what is asked for.
func number[T any](list []T, is func(T) bool) (n int) {
	for _, item := range list {
		if is(item) {
			n++
		}
	}
	return n
}

func (l *linter) declaredShards() {
	for _, id := range l.world.ShardIDs() {
		if _, ok := l.state.Shard(id); !ok {
			l.fail("shard-missing", id, "add it with sh.addShard(), or correct its name", "the shard is declared, and the cluster has none of that name")
		}
	}
}

// modes checks that a write concern that is known to some shards is known to all: a write to another one fails with UnknownReplWriteConcern.
func (l *linter) modes() {
	var with, without []topology.ShardID
	for _, s := range l.state.Shards {
		switch {
		case s.Members == nil:
		case slices.Contains(s.Modes, multiDatacenterMode):
			with = append(with, s.ID)
		default:
			without = append(without, s.ID)
		}
	}
	if len(with) > 0 && len(without) > 0 {
		l.warn("mode-missing", spelling.List(without), fmt.Sprintf("set settings.getLastErrorModes.%s with rs.reconfig()", multiDatacenterMode),
			"the write concern %s is defined on %s alone: writes with it fail elsewhere", multiDatacenterMode, spelling.List(with))
	}
}

// residency checks where the members that hold a zone's documents really are.
func (l *linter) residency(z zones.ZoneShards) {
	declared, _ := l.world.Zone(z.Zone)
	if len(declared.AllowedDatacenters) == 0 {
		return
	}
	var outside []string
	for _, id := range z.Shards {
		shard, _ := l.state.Shard(id)
		for _, m := range shard.Members {
			if !m.Arbiter && !slices.Contains(declared.AllowedDatacenters, m.DC) {
				outside = append(outside, fmt.Sprintf("%s in %s", m.Host, orUnknown(m.DC)))
			}
		}
	}
	if len(outside) > 0 {
		l.fail("residency", z.Zone, "take the members away, or allow their datacenters",
			"documents of the zone are held outside its allowed datacenters, by %s", spelling.List(outside))
	}
}
