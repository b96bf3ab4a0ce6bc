package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/verify"
)

// The files of the flags become options of the connection string, whatever it looks like.
func TestWithTLS(t *testing.T) {
	both := reachFlags{CAFile: "a b.pem", KeyFile: "k.pem"}
	const options = "tls=true&tlsCAFile=a+b.pem&tlsCertificateKeyFile=k.pem"
	for uri, want := range map[string]string{
		"":                                  "",
		"mongodb://a,b:1":                   "mongodb://a,b:1/?" + options,
		"mongodb://u:p%2F@a:1/":             "mongodb://u:p%2F@a:1/?" + options,
		"mongodb://a:1/shop":                "mongodb://a:1/shop?" + options,
		"mongodb+srv://a/?authSource=admin": "mongodb+srv://a/?authSource=admin&" + options,
	} {
		if got := both.withTLS(uri); got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
		if got := (reachFlags{}).withTLS(uri); got != uri {
			t.Errorf("%q: got %q without flags", uri, got)
		}
	}
}

// Only "yes" agrees, and an interrupt ends the question.
func TestAsk(t *testing.T) {
	for answer, want := range map[string]bool{"yes\n": true, "yes": true, "y\n": false, "YES\n": false, "\n": false, "": false} {
		env, _, stderr := testEnvironment()
		env.stdin = strings.NewReader(answer)
		if got, err := env.ask(t.Context(), "Apply it?"); got != want || err != nil {
			t.Errorf("%q: got %v %v, want %v", answer, got, err, want)
		}
		if !strings.HasPrefix(stderr.String(), "Apply it? ") {
			t.Errorf("%q: asked %q", answer, stderr)
		}
	}
	env, _, _ := testEnvironment()
	in, out := io.Pipe()
	defer out.Close()
	env.stdin = in
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := env.ask(ctx, "Apply it?"); got || !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v %v", got, err)
	}
}

// What Ctrl-C ends says so, and keeps the hint that tells how to go on.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := &apply.StepError{Done: 2, Made: 2, Total: 7, Step: "+ zone NYC: shard nyc", Err: context.Canceled}
	if got := interrupted(ctx, failed); got != error(failed) {
		t.Errorf("not interrupted: got %v", got)
	}
	cancel()
	got := interrupted(ctx, failed)
	if want := "interrupted: apply: step 3 of 7 (+ zone NYC: shard nyc): context canceled"; got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := "2 steps are done and recorded; run apply again to go on from there"; hint.Of(got) != want {
		t.Errorf("got hint %q, want %q", hint.Of(got), want)
	}
}

// Without a terminal progress is lines, and a look that sees nothing new says nothing.
func TestProgressLines(t *testing.T) {
	env, _, stderr := testEnvironment()
	listen, done := env.progress()
	step := zones.Step{Change: zones.AddShardToZone{Shard: "nyc", Zone: "NYC"}}
	left := apply.Remaining{Chunks: 1, Documents: 9, Bytes: 500, Migrations: []apply.Migration{{Collection: "shop.carts", From: "nyc", To: "lon"}}}
	for _, event := range []apply.Event{
		apply.RunBegun{Run: "r1", Done: 1, Total: 2}, apply.StepBegun{Index: 1, Total: 2, Step: step}, apply.StepDone{Index: 1, Total: 2, Step: step},
		apply.BalancingReleased{Collection: "shop.carts"},
		apply.WaitProgress{Goal: apply.WaitMoved, Total: 1000, Left: left, ETA: 3 * time.Second}, apply.WaitProgress{Goal: apply.WaitMoved, Total: 1000, Left: left},
		apply.WaitProgress{Goal: apply.WaitMoved, Total: 1000},
	} {
		listen(event)
	}
	done()
	const want = `going on with run r1: 1 of 2 steps were done before
2/2 + zone NYC: shard nyc
the balancer may work on shop.carts again
waiting until moved: 1 chunk with 9 documents (500 bytes) outside their zone; now shop.carts from nyc to lon; about 3s left
waiting until moved: 0 chunks with 0 documents (0 bytes) outside their zone
`
	if got := stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	env.output = outputJSON
	stderr.Reset()
	listen, _ = env.progress()
	listen(apply.BalancingReleased{Collection: "shop.carts"})
	if stderr.Len() > 0 {
		t.Errorf("a program heard %q", stderr)
	}
}

// A plan says why each step is needed, what it costs and what is left to people.
func TestPlanText(t *testing.T) {
	plan := &zones.Plan{
		ClusterID: "c1",
		Steps: []zones.Step{
			{Change: zones.AddShardToZone{Shard: "nyc", Zone: "NYC"}, Cause: zones.CauseIntent, Reason: "it is declared"},
			{Change: zones.RemoveShardFromZone{Shard: "lon", Zone: "NYC"}, Cause: zones.CauseDrift, Reason: "somebody added it"},
		},
		Manual: []zones.Manual{{Collection: "shop.old", Why: "its key lacks dc", Commands: []string{"db.a()", "db.b()"}, Needs: "space for 2 GB"}},
		Findings: []zones.Finding{
			{Severity: zones.SeverityError, Rule: "zone-without-shards", Subject: "SYD", Message: "no shard", Hint: "add one"},
		},
		Forecast: zones.Forecast{
			Moves:     []zones.Move{{Collection: "shop.carts", Zone: "NYC", From: "lon", To: "nyc", FromDC: "LON", ToDC: "NYC", Chunks: 2, Documents: 10, Bytes: 2_000_000}},
			Documents: 10, Bytes: 2_000_000, Chunks: 2, Rate: 1_000_000, Duration: 2 * time.Second,
			Migrations: map[topology.ShardID]int{"nyc": 2, "lon": 2},
			Targeting:  []zones.Targeting{{Collection: "shop.carts", Value: `"NYC"`, Zone: "NYC", Before: []topology.DatacenterID{"LON", "NYC"}, After: []topology.DatacenterID{"NYC"}}},
		},
	}
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	planView{Plan: plan}.text(page{&b, env.styles(&b)})
	const want = `2 steps for cluster c1

  + zone NYC: shard nyc
      intent: it is declared
  - zone NYC: shard lon
      drift: somebody added it

forecast: 10 documents, 2MB in 2 chunks move, in 2s at best with 1MB/s for each migration (estimated)

collection   zone   from        to          documents   bytes   chunks
shop.carts   NYC    lon (LON)   nyc (NYC)   10          2MB     2
migrations per shard: lon 2, nyc 2

a query in   for     of zone   asks now   will ask
shop.carts   "NYC"   NYC       LON, NYC   NYC

error SYD: no shard [zone-without-shards]
  hint: add one

by hand shop.old: its key lacks dc
    db.a()
    db.b()
  space for 2 GB

`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A name of the cluster's may have anything in it. What a terminal would obey, or take for another line, is escaped.
func TestFindingsAreOneLineEach(t *testing.T) {
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	findings(page{&b, env.styles(&b)}, []zones.Finding{{Severity: zones.SeverityError, Rule: "r", Subject: "shop.\x1b[2J\nnote all is well", Message: "index \"a\nb\"", Hint: "do \x07"}, {Subject: "shop.\"é\"", Message: "m"}})
	want := "error shop.\\x1b[2J\\nnote all is well: index \\\"a\\nb\\\" [r]\n  hint: do \\a\nunknown shop.\"é\": m []\n"
	if got := b.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A saved plan is read back; another file at its place is kept, an older plan is not.
func TestSavePlan(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.json")
	for _, id := range []string{"first", "second"} {
		if err := savePlan(file, &zones.Plan{ClusterID: id}); err != nil {
			t.Fatal(err)
		}
		if got, err := loadPlan(file); err != nil || got.ClusterID != id {
			t.Errorf("got %v %v, want cluster %s", got, err, id)
		}
	}
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := savePlan(file, &zones.Plan{}); err == nil || !strings.Contains(err.Error(), "exists and is no plan") {
		t.Errorf("got %v, want the file kept", err)
	}
}

// Violations of both proofs are seen at once.
func TestReportTextOfViolations(t *testing.T) {
	share, documents, size := 0.003, int64(12), int64(3400)
	report := &verify.Report{
		Namespaces: []verify.Namespace{{
			Name: "shop.carts", Key: "{dc: 1, id: 1}",
			Members:  []verify.Member{{Shard: "nyc", Host: "h1:1", Datacenter: "NYC", Role: verify.RoleSecondary, Hidden: true, Documents: 9, Misplaced: 2, Orphans: 1, Unknown: 3, OutsideAtMost: &share}},
			Examples: []verify.Example{{Kind: verify.Misplaced, Shard: "nyc", Members: []string{"h1:1"}, Zone: "LON", Owner: "nyc", ID: "7", Key: `{"dc":"LON"}`}},
			Unknown:  []verify.UnknownValue{{Shard: "nyc", Value: `"PAR"`, Documents: 3}},
		}},
		Residency: []verify.Residency{{
			Zone: "LON", Allowed: []topology.DatacenterID{"LON"},
			Holders:    []verify.Holder{{Datacenter: "LON", Shard: "lon", Host: "h2:1", Documents: 5}, {Datacenter: "NYC", Shard: "nyc", Host: "h1:1", Documents: 2}},
			Violations: []verify.Holder{{Datacenter: "NYC", Shard: "nyc", Host: "h1:1", Documents: 2}},
		}},
		Kept: []verify.Kept{
			{Shard: "lon", Database: "old", Collection: "old.a", Documents: &documents, Bytes: &size, Command: `db.adminCommand({movePrimary: "old", to: "nyc"})`},
			{Shard: "lon", Database: "old", Command: `db.adminCommand({movePrimary: "old", to: "nyc"})`},
			{Shard: "lon", Database: "new", Collection: "new.b", Chunks: 4},
		},
		NotChecked: []string{"the member h3:1"},
		Warnings:   []string{"geoshard was not run on MongoDB 8.0 yet"},
	}
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	reportView{report}.text(page{&b, env.styles(&b)})
	for _, want := range []string{
		"nyc     h1:1     NYC          secondary, hidden   9           2           1         3         0.3 % (sample, 95 % confidence)\n",
		"misplaced _id 7, key {\"dc\":\"LON\"}: on nyc (seen by h1:1), belongs to zone LON, owned by nyc\n",
		"unknown value \"PAR\" on nyc: 3 documents\n",
		"LON            LON, NYC   LON       not allowed: NYC\n",
		"lon             old.a                                             12          3.4kB     db.adminCommand({movePrimary: \"old\", to: \"nyc\"})\n",
		"lon             the database old, as its primary shard                                  db.adminCommand({movePrimary: \"old\", to: \"nyc\"})\n",
		"lon             new.b                                    4        unknown     unknown   the balancer",
		"not checked: the member h3:1\n",
		"warning: geoshard was not run on MongoDB 8.0 yet\n",
		"not clean: 9 documents, 2 misplaced, 1 orphan, 3 of unknown values\nsha256 " + report.Hash() + "\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%swant in it\n%s", b.String(), want)
		}
	}
}

// The verdict is of what was looked at: nobody reads that something is clean which nobody has seen.
func TestReportTextOfVerdicts(t *testing.T) {
	outside := verify.Namespace{Name: "shop.carts", Members: []verify.Member{{Shard: "nyc", Documents: 9, Outside: 4}}}
	for _, c := range []struct {
		name   string
		report verify.Report
		want   []string
	}{
		{"all is proved", verify.Report{}, []string{"\nclean: 0 documents", "no documents\n"}},
		{"the user left something out", verify.Report{NotChecked: []string{"secondaries"}}, []string{"\nclean, as far as it was checked: 0 documents", "no documents seen\n"}},
		{"a member did not answer", verify.Report{NotChecked: []string{"member h1:1"}, Incomplete: true}, []string{"\nnot proved: 0 documents", "no documents seen\n"}},
		{"a member did not answer, and another is wrong", verify.Report{Incomplete: true, Namespaces: []verify.Namespace{outside}},
			[]string{"\nnot clean: 9 documents, 0 misplaced, 0 orphans, 4 more outside their zone, 0 of unknown values", "nyc     unknown    9           0           0         4\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.report.Residency = []verify.Residency{{Zone: "LON"}}
			var b bytes.Buffer
			env, _, _ := testEnvironment()
			reportView{&c.report}.text(page{&b, env.styles(&b)})
			for _, want := range c.want {
				if !strings.Contains(b.String(), want) {
					t.Errorf("got\n%swant in it\n%s", b.String(), want)
				}
			}
		})
	}
}

// A status shows trouble: drift, a stopped balancer, a held collection, a failed apply.
func TestZoneStatusTextOfTrouble(t *testing.T) {
	world := presetWorld(t, "nyc-lon-syd")
	status := &catalog.Status{
		State: &zones.State{
			ClusterID: "c1", Version: "6.0.5", Balancer: zones.Balancer{Window: "23:00-06:00"},
			Shards:      []zones.Shard{{ID: "nyc", Zones: []topology.ZoneID{"NYC", "OLD"}}, {ID: "lon", Draining: true}},
			Collections: []zones.Collection{{Name: "shop.carts", Exists: true, Sharded: true, Key: topology.Key{{Name: "dc"}}, NoBalance: true}, {Name: "shop.none"}},
		},
		Changes: 3, Drifted: 1,
		Left:    &apply.Remaining{Chunks: 2, Documents: 7, Bytes: 99, Held: []string{"shop.carts"}, Migrations: []apply.Migration{{Collection: "shop.carts", From: "nyc", To: "lon", Range: "{dc: 1} to {dc: 2}"}}},
		Drained: []zones.Finding{{Severity: zones.SeverityWarning, Rule: "drained-primary", Subject: "old", Message: "its primary shard is lon", Hint: `db.adminCommand({movePrimary: "old", to: "nyc"})`}},
		Last:    &zones.Run{Status: zones.RunFailed, Owner: "ann on build-7, process 4", Started: time.Unix(0, 0), Steps: make([]zones.RunStep, 4), Error: "no"},
	}
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	zoneStatus{status, world}.text(page{&b, env.styles(&b)})
	const want = `cluster c1, MongoDB 6.0.5

shard                 home   zone NYC   zone LON   zone SYD   zone OLD
nyc                   NYC    yes        -          -          yes
lon (being removed)   LON    -          -          -          -

collection   key              ranges   chunks   balancing
shop.carts   {dc: 1}          0        0        off
shop.none    does not exist   0

warning old: its primary shard is lon [drained-primary]
  hint: db.adminCommand({movePrimary: "old", to: "nyc"})

changes:   3 steps, 1 because somebody changed what was applied: geoshard plan
placement: 2 chunks with 7 documents (99 bytes) outside their zone
balancer:  stopped, nothing moves: sh.startBalancer(), from 23:00-06:00 alone
           moving shop.carts from nyc to lon: {dc: 1} to {dc: 2}
           told to leave alone shop.carts
journal:   0 of 4 steps, failed, begun 1970-01-01T00:00:00Z by ann on build-7, process 4; geoshard apply goes on with it
           no
`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Before 6.0.3 orphans cannot be counted: that is said, and everything else is.
func TestZoneStatusTextWithoutOrphans(t *testing.T) {
	status := &catalog.Status{
		State: &zones.State{ClusterID: "c1", Version: "6.0.2", Collections: []zones.Collection{{Name: "shop.carts", Exists: true, Sharded: true, Key: topology.Key{{Name: "dc"}}}}},
		Left:  &apply.Remaining{Uncounted: "these servers cannot count orphans"},
	}
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	zoneStatus{status, presetWorld(t, "nyc-lon-syd")}.text(page{&b, env.styles(&b)})
	if want := "placement: every chunk is on a shard of its zone; these servers cannot count orphans\n"; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%swant in it\n%s", b.String(), want)
	}
}

// Servers before 6.0.3 refuse createRole for an action that they do not know.
func TestRolesLeaveOutWhatServersDoNotKnow(t *testing.T) {
	for version, want := range map[string]string{"6.0.2": "shardedDataDistribution on the cluster", "6.0.3": "", "8.0.4": ""} {
		view := newRolesView([]string{"shop.carts"}).fit(version)
		text, err := json.Marshal(view)
		if err != nil {
			t.Fatal(err)
		}
		if view.LeftOut != want || len(view.Roles) != 2 || strings.Count(string(text), `"shardedDataDistribution"`) != map[bool]int{true: 0, false: 2}[want != ""] {
			t.Errorf("%s: got %s, want left out %q", version, text, want)
		}
	}
}

// A cluster of a version on which nothing was run is started with a warning.
func TestUpWarnsOfVersions(t *testing.T) {
	for version, want := range map[string]string{"6.0.5": "", "8.0.4": "warning: geoshard was not run on MongoDB 8.0 yet", "8.3.1": "SERVER-131805"} {
		env, _, stderr := testEnvironment()
		env.warnOf(version, presetWorld(t, "nyc-lon-syd"))
		if got := stderr.String(); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

// What follows a document is no part of it: half a filter would choose other documents.
func TestReadFilter(t *testing.T) {
	for text, want := range map[string]string{`{"a": {"$numberLong": "7"}}`: `{"a":{"$numberLong":"7"}}`, `{}`: `{}`} {
		got, err := readFilter("FILTER", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		back, err := bson.MarshalExtJSON(got, true, false)
		if err != nil || string(back) != want {
			t.Errorf("%s: got %s %v, want %s", text, back, err, want)
		}
	}
	for _, text := range []string{"", "{", "{a: 1}", `{"a": 1} {"b": 2}`, "[1]", "7", "null"} {
		if got, err := readFilter("FILTER", text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}
