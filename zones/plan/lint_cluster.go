package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/serverversion"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
)

// multiDatacenterMode is the custom write-concern mode that acknowledges a write once members in two datacenters have it.
const multiDatacenterMode = "multiDatacenter"

func (l *linter) version() {
	v, err := serverversion.Parse(l.state.Version)
	switch {
	case err != nil:
		l.warn("version", "cluster", "geoshard needs MongoDB 6.0 or later", "the servers' version %q cannot be read", l.state.Version)
	case v.Less(serverversion.Oldest):
		l.fail("version", "cluster", "upgrade to 6.0 or later", "the oldest server runs MongoDB %s: geoshard needs 6.0 or later", l.state.Version)
	default:
		l.balancerCrash(v)
	}
}

// balancerCrash is about SERVER-82325, "config server could invariant during balancer round". The changelog of 6.0.12 names its fix; those of 7.0 do not, but the
// code in question was replaced in 7.0.5 (SERVER-82365).
func (l *linter) balancerCrash(v serverversion.Version) {
	if len(l.state.Shards) < 4 || !l.state.Balancer.Running {
		return
	}
	fixed, hint := serverversion.Version{6, 0, 12}, "upgrade to 6.0.12 or later before the balancer enforces zones"
	if !v.Less(serverversion.Version{6, 1, 0}) {
		fixed, hint = serverversion.Version{7, 0, 5}, "check jira.mongodb.org/browse/SERVER-82325 for this version, or upgrade to 7.0.5 or later"
	}
	if v.Less(fixed) {
		l.warn("version", "cluster", hint,
			"with MongoDB %s, 4 or more shards and the balancer on, the primary of the config servers may crash while zones are enforced or a shard is drained (SERVER-82325)", l.state.Version)
	}
}

// shard checks one shard of the cluster against what is declared of it.
func (l *linter) shard(s zones.Shard) {
	id := string(s.ID)
	if s.Draining {
		l.warn("shard-draining", id, "", "the shard is being removed from the cluster: the balancer takes all its chunks away")
	}
	inZone := false
	for _, shards := range l.shards {
		inZone = inZone || slices.Contains(shards, s.ID)
	}
	if len(l.shards) > 0 && !inZone {
		l.warn("shard-in-no-zone", id, "name it in a zone", "the shard is in no zone: it gets only documents that belong to none")
	}
	declared, ok := l.world.Shard(s.ID)
	switch {
	case !ok:
		l.warn("shard-undeclared", id, "declare it in geoshard.yaml", "the cluster has a shard that is not declared")
	case s.Members == nil:
		l.warn("shard-unseen", id, "", "its servers could not be asked for their members, so those are not checked: %s", s.Unseen)
	default:
		l.members(declared, s)
		l.primary(s)
		l.survival(s)
	}
}

// members compares numbers for each datacenter: a declared member has no name of its own.
func (l *linter) members(declared topology.Shard, s zones.Shard) {
	want, got := map[topology.DatacenterID]int{}, map[topology.DatacenterID]int{}
	for _, m := range declared.Members {
		want[m.DC]++
	}
	for _, m := range s.Members {
		got[m.DC]++
		if m.DC == "" {
			l.warn("member-untagged", m.Host, "set members[].tags.dc with rs.reconfig()", "a member of shard %s has no tag dc, so nobody knows its datacenter", s.ID)
		}
	}
	for _, dc := range l.world.Datacenters {
		switch {
		case got[dc.ID] < want[dc.ID]:
			l.fail("member-missing", string(s.ID), "add the member, or set its tag dc",
				"it has %d of %s in %s", got[dc.ID], count(want[dc.ID], "declared member", "declared members"), dc.ID)
		case got[dc.ID] > want[dc.ID]:
			l.warn("member-undeclared", string(s.ID), "declare it in geoshard.yaml",
				"it has %d members in %s, where %d are declared", got[dc.ID], dc.ID, want[dc.ID])
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
		l.fail("primary-missing", string(s.ID), "look at rs.status() of the shard", "the shard has no primary: it takes no writes, and no chunk can move")
	case s.Members[at].DC != home:
		l.warn("primary-away", string(s.ID), "compare the priorities of rs.conf() with geoshard.yaml",
			"the primary, %s, is in %s, not at home in %s: local writes travel", s.Members[at].Host, orUnknown(s.Members[at].DC), home)
	}
}

func orUnknown(dc topology.DatacenterID) string {
	if dc == "" {
		return "an unknown datacenter"
	}
	return string(dc)
}

// survival checks the declared goal by the members that there are: topology's own rule looks at the declared ones.
func (l *linter) survival(s zones.Shard) {
	place, ok := l.places()
	if !ok {
		return
	}
	if lost := lostWith(s.Members, place); len(lost) > 0 {
		l.fail("survival", string(s.ID), "give the shard the declared members with their votes and priorities",
			"the shard would not survive the loss of a %s: without %s it elects no primary or acknowledges no majority writes", l.world.Survive, strings.Join(lost, " or "))
	}
}

// places are what the survival goal is about; false where there is no goal.
func (l *linter) places() (place func(zones.Member) string, ok bool) {
	switch l.world.Survive {
	case topology.SurviveDatacenter:
		return func(m zones.Member) string { return orUnknown(m.DC) }, true
	case topology.SurviveNode:
		return func(m zones.Member) string { return m.Host }, true
	default:
		return nil, false
	}
}

// lostWith are the places without which a replica set does not go on.
func lostWith(members []zones.Member, place func(zones.Member) string) []string {
	var lost []string
	for _, m := range members {
		if m.Votes == 0 || slices.Contains(lost, place(m)) {
			continue
		}
		if left := slices.DeleteFunc(slices.Clone(members), func(other zones.Member) bool { return place(other) == place(m) }); !goesOn(members, left) {
			lost = append(lost, place(m))
		}
	}
	return lost
}

// configServers checks that the set that holds the catalogue survives what the shards are to survive. The topology does not declare its members.
func (l *linter) configServers() {
	c := l.state.ConfigServers
	place, ok := l.places()
	if c == nil || !ok {
		return
	}
	untagged := slices.IndexFunc(c.Members, func(m zones.Member) bool { return m.DC == "" && m.Votes > 0 })
	switch {
	case c.Members == nil:
		l.note("config-unseen", string(c.ID), "", "the config servers could not be asked for their members, so whether they survive the loss of a %s is not checked: %s", l.world.Survive, c.Unseen)
	case l.world.Survive == topology.SurviveDatacenter && untagged >= 0:
		l.warn("member-untagged", c.Members[untagged].Host, "set members[].tags.dc with rs.reconfig() on the config servers",
			"a member of the config servers has no tag dc, so whether they survive the loss of a datacenter is not checked")
	default:
		if lost := lostWith(c.Members, place); len(lost) > 0 {
			l.fail("survival", string(c.ID), "spread the members of their replica set as those of the shards",
				"the config servers would not survive the loss of a %s: without %s no chunk moves, no zone changes, and query routers that start find no catalogue", l.world.Survive, strings.Join(lost, " or "))
		}
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

func number(members []zones.Member, is func(zones.Member) bool) int {
	n := 0
	for _, m := range members {
		if is(m) {
			n++
		}
	}
	return n
}

func (l *linter) declaredShards() {
	for _, declared := range l.world.Shards {
		if _, ok := l.state.Shard(declared.ID); !ok {
			l.fail("shard-missing", string(declared.ID), "add it with sh.addShard(), or correct its name", "the shard is declared, and the cluster has none of that name")
		}
	}
}

// modes checks that a write concern that is known to some shards is known to all: a write to another one fails with UnknownReplWriteConcern.
func (l *linter) modes() {
	var with, without []string
	for _, s := range l.state.Shards {
		switch {
		case s.Members == nil:
		case slices.Contains(s.Modes, multiDatacenterMode):
			with = append(with, string(s.ID))
		default:
			without = append(without, string(s.ID))
		}
	}
	if len(with) > 0 && len(without) > 0 {
		l.warn("mode-missing", strings.Join(without, ", "), fmt.Sprintf("set settings.getLastErrorModes.%s with rs.reconfig()", multiDatacenterMode),
			"the write concern %s is defined on %s alone: writes with it fail elsewhere", multiDatacenterMode, strings.Join(with, ", "))
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
		l.fail("residency", string(z.Zone), "take the members away, or allow their datacenters",
			"documents of the zone are held outside its allowed datacenters, by %s", strings.Join(outside, ", "))
	}
}
