package consistency_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// warns reports whether a rule found something in a shard.
func warns(problems []consistency.Problem, shard topology.ShardID, rule string) bool {
	return slices.ContainsFunc(problems, func(p consistency.Problem) bool { return p.Shard == shard && p.Rule == rule })
}

func preset(t testing.TB, name string) *topology.Topology {
	t.Helper()
	src, err := configs.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse(name, src)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// The named profiles hold on every preset, but for what one of them really risks on sets of five, and for what query routers do where datacenters are near each other.
func TestNamedProfilesHoldOnThePresets(t *testing.T) {
	for _, name := range configs.Names() {
		for _, p := range consistency.Named() {
			for _, problem := range consistency.Check(p, preset(t, name)) {
				known := p.Name == "multi-datacenter" && problem.Rule == "rollback" || (name == "ebay" || name == "ogilvy") && problem.Rule == "joined-tags"
				if problem.Severity == topology.SeverityError || !known {
					t.Errorf("%s: %s", name, problem)
				}
			}
		}
	}
	if !warns(consistency.Check(lookup(t, "multi-datacenter"), preset(t, "us-east-west")), "east", "rollback") {
		t.Error("two acknowledgements of five votes: no warning")
	}
}

// one is a shard whose members are all in one place; far has none in Sydney.
const awkward = `version: 1
datacenters:
  NYC: {}
  LON: {role: passive}
  SYD: {role: passive}
links:
  - {between: [NYC, LON], rtt: 76ms}
  - {between: [NYC, SYD], rtt: 200ms}
  - {between: [LON, SYD], rtt: 265ms}
shards:
  one: {members: [{dc: NYC, priority: 3}, {dc: NYC}, {dc: NYC}]}
  far: {members: [{dc: NYC, priority: 3}, {dc: LON}, {dc: LON}]}
`

func awkwardWorld(t testing.TB) *topology.Topology {
	t.Helper()
	world, err := topology.Parse("awkward.yaml", []byte(awkward))
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// Each case is one sensible profile with one thing wrong; what Check says about it is in testdata/check.txt.
func TestCheckMessages(t *testing.T) {
	sound := consistency.Profile{Write: consistency.Write{Majority: true}, Read: consistency.Read{Concern: "majority"}, Timeout: time.Second}
	nearest := sound
	nearest.Read.Mode = readpref.NearestMode
	session := nearest
	session.Causal = true
	small, wrong := preset(t, "nyc-lon-syd"), awkwardWorld(t)
	with := func(p consistency.Profile, change func(*consistency.Profile)) consistency.Profile {
		change(&p)
		return p
	}
	type profile = consistency.Profile
	var out strings.Builder
	for _, c := range []struct {
		name    string
		world   *topology.Topology
		profile profile
	}{
		{"nothing wrong", small, sound},
		{"nothing wrong in a session", small, session},
		{"the zero profile", small, profile{}},
		{"staleness below the servers' least", small, with(nearest, func(p *profile) { p.Read.MaxStaleness = 89 * time.Second })},
		{"staleness at the servers' least", small, with(nearest, func(p *profile) { p.Read.MaxStaleness = 90 * time.Second })},
		{"staleness below heartbeat and 10 s", small, with(nearest, func(p *profile) { p.Read.MaxStaleness, p.Heartbeat = 95*time.Second, 90*time.Second })},
		{"staleness of the primary", small, with(sound, func(p *profile) { p.Read.MaxStaleness = 2 * time.Minute })},
		{"tags for the primary", small, with(sound, func(p *profile) { p.Read.OwnDatacenter = true })},
		{"tags that nobody has", small, with(nearest, func(p *profile) {
			p.Read.Tags = []map[string]string{{"dc": "PAR"}, {"dc": "NYC", "disk": "ssd"}, {"dc": "NYC"}}
		})},
		{"w as many as there are", small, with(sound, func(p *profile) { p.Write = consistency.Write{Members: 3} })},
		{"w above the members", small, with(sound, func(p *profile) { p.Write = consistency.Write{Members: 4} })},
		{"w above those with data", preset(t, "us-east-west"), with(sound, func(p *profile) { p.Write = consistency.Write{Members: 5} })},
		{"a negative w", small, with(sound, func(p *profile) { p.Write = consistency.Write{Members: -1} })},
		{"two write concerns", small, with(sound, func(p *profile) { p.Write.Members = 2 })},
		{"no timeout", small, with(sound, func(p *profile) { p.Timeout = 0 })},
		{"no timeout for one member", small, with(sound, func(p *profile) { p.Timeout, p.Write = 0, consistency.Write{Members: 1} })},
		{"causal with local reads", small, with(session, func(p *profile) { p.Read.Concern = "local" })},
		{"causal with w: 1", small, with(session, func(p *profile) { p.Write = consistency.Write{Members: 1} })},
		{"causal and snapshot", small, with(session, func(p *profile) { p.Snapshot = true })},
		{"a bound without a session", small, with(nearest, func(p *profile) { p.Read.Bound = time.Second })},
		{"no retries", small, with(sound, func(p *profile) { p.NoRetryWrites = true })},
		{"local and lossless", small, with(sound, func(p *profile) { p.Goals = consistency.Goals{LocalWrites: true, Lossless: true} })},
		{"lossless with w: 1", small, with(sound, func(p *profile) { p.Goals.Lossless, p.Write = true, consistency.Write{Members: 1} })},
		{"local with majority", small, with(sound, func(p *profile) { p.Goals.LocalWrites = true })},
		{"lossless, and a majority in one place", wrong, with(sound, func(p *profile) { p.Goals.Lossless = true })},
		{"secondaries in the own datacenter", small, with(nearest, func(p *profile) { p.Read.Mode, p.Read.OwnDatacenter = readpref.SecondaryMode, true })},
		{"two of five votes", preset(t, "yougov"), with(sound, func(p *profile) { p.Write = consistency.Write{Members: 2} })},
		{"two datacenters of five votes", preset(t, "yougov"), with(sound, func(p *profile) { p.Write = consistency.Write{Mode: consistency.MultiDatacenter} })},
		{"three datacenters of five votes", preset(t, "yougov"), with(sound, func(p *profile) { p.Write = consistency.Write{Mode: consistency.Mode{Name: "all", Datacenters: 3}} })},
		{"two datacenters, and all members in one", wrong, with(sound, func(p *profile) { p.Write = consistency.Write{Mode: consistency.MultiDatacenter} })},
		{"own datacenter without a member", wrong, with(nearest, func(p *profile) { p.Read.OwnDatacenter = true })},
		{"own datacenter without a member, or elsewhere", wrong, with(nearest, func(p *profile) { p.Read.OwnDatacenter, p.Read.Elsewhere = true, true })},
		{"own datacenter first, and others near it", preset(t, "ogilvy"), with(nearest, func(p *profile) { p.Read.OwnDatacenter, p.Read.Elsewhere = true, true })},
		{"own datacenter first, and the home near it does not answer", preset(t, "ebay"), with(nearest, func(p *profile) {
			p.Read.Mode, p.Read.OwnDatacenter, p.Read.Elsewhere = readpref.SecondaryPreferredMode, true, true
		})},
		{"tags in an order that is not that of the distances", small, with(nearest, func(p *profile) { p.Read.Tags = []map[string]string{{"dc": "SYD"}, {"dc": "NYC"}} })},
		{"strict on secondaries", small, with(nearest, func(p *profile) { p.Read.Concern = "linearizable" })},
		{"a level that does not exist", small, with(sound, func(p *profile) { p.Read.Concern = "eventual" })},
		{"a mode that does not exist", small, with(sound, func(p *profile) { p.Read.Mode = 99 })},
	} {
		fmt.Fprintf(&out, "# %s\n", c.name)
		for _, p := range consistency.Check(c.profile, c.world) {
			fmt.Fprintf(&out, "%-24s %s\n", p.Rule, p)
			if p.Hint == "" {
				t.Errorf("%s: %s: no way out", c.name, p.Rule)
			}
		}
	}
	testkit.Golden(t, "testdata/check.txt", out.String())
}
