package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

func presetWorld(t *testing.T, preset string) *topology.Topology {
	t.Helper()
	src, err := configs.Read(preset)
	if err != nil {
		t.Fatal(err)
	}
	w, err := topology.Parse(preset, src)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// viewOf is a view with plain connection strings.
func viewOf(status cluster.Status, w *topology.Topology) statusView {
	v := statusView{Status: status, world: w}
	for _, m := range status.Members {
		if m.Role == cluster.RoleRouter {
			v.Connect = append(v.Connect, connection{Datacenter: m.Datacenter, URI: "mongodb://" + m.Host + "/"})
		}
	}
	return v
}

// healthy is the status of a world in which everything is as declared.
func healthy(w *topology.Topology) cluster.Status {
	taken := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := cluster.Status{Name: "geoshard", Taken: taken, Started: taken.Add(-83 * time.Second), ServerVersion: "6.0.5", QueryRouter: cluster.QueryRouter{Kind: "devmongos"}}
	none := cluster.Duration(0)
	for _, shard := range w.Shards {
		for i, m := range shard.Members {
			member := cluster.Member{Name: shard.MemberName(i), Shard: shard.ID, Datacenter: m.DC, Role: cluster.RoleSecondary, State: cluster.StateUp, Lag: &none}
			switch {
			case w.Arbiter(m):
				member.Role, member.Lag = cluster.RoleArbiter, nil
			case i == 0:
				member.Role, member.Home, member.Lag = cluster.RolePrimary, true, nil
			}
			s.Members = append(s.Members, member)
		}
	}
	for i, dc := range w.Datacenters {
		role := cluster.RoleConfig
		if i == 0 {
			role = cluster.RoleConfigPrimary
		}
		s.Members = append(s.Members, cluster.Member{Name: "config/" + string(dc.ID), Datacenter: dc.ID, Role: role, State: cluster.StateUp})
	}
	for i, dc := range w.Datacenters {
		if dc.Role == topology.RoleVoter {
			continue
		}
		s.Members = append(s.Members,
			cluster.Member{Name: "core/" + string(dc.ID), Datacenter: dc.ID, Role: cluster.RoleRouterCore, State: cluster.StateUp},
			cluster.Member{Name: "router/" + string(dc.ID), Datacenter: dc.ID, Role: cluster.RoleRouter, State: cluster.StateUp, Host: "127.0.0.1:2700" + string(rune('1'+i))})
	}
	for _, l := range w.Links {
		s.Links = append(s.Links, cluster.Link{Between: l.Between, RTT: cluster.Duration(l.RTT)})
	}
	return s
}

// at changes one member of a status.
func at(t *testing.T, s cluster.Status, name string, change func(*cluster.Member)) {
	t.Helper()
	i := slices.IndexFunc(s.Members, func(m cluster.Member) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("no member %s", name)
	}
	change(&s.Members[i])
}

// TestStatusView: testdata/status.txt is what the user sees.
func TestStatusView(t *testing.T) {
	world := presetWorld(t, "nyc-lon-syd")

	broken := healthy(world)
	broken.QueryRouter = cluster.QueryRouter{Kind: "mongos", Version: "8.0.4"}
	at(t, broken, "nyc/NYC", func(m *cluster.Member) { m.State, m.Role, m.Detail = cluster.StateDown, cluster.RoleUnknown, "killed" })
	at(t, broken, "nyc/LON", func(m *cluster.Member) { m.Role, m.Lag = cluster.RolePrimary, nil })
	at(t, broken, "nyc/SYD", func(m *cluster.Member) { d := cluster.Duration(5240 * time.Millisecond); m.Lag = &d })
	at(t, broken, "lon/LON", func(m *cluster.Member) { m.State, m.Role = cluster.StatePaused, cluster.RoleUnknown })
	at(t, broken, "lon/NYC", func(m *cluster.Member) { m.State, m.Role = cluster.StateStarting, cluster.RoleUnknown })
	at(t, broken, "config/SYD", func(m *cluster.Member) {
		m.State, m.Role, m.Detail = cluster.StateUnreachable, cluster.RoleUnknown, "no answer in 2s"
	})
	broken.Links[1].Cut, broken.Links[2].Cut = true, true
	broken.Links[0].RTT, broken.Links[0].Jitter, broken.Links[0].Bandwidth = cluster.Duration(376*time.Millisecond), cluster.Duration(20*time.Millisecond), 1e6
	broken.Faults = []string{"isolate SYD", "delay NYC LON 300ms", "lag nyc/SYD 5s"}

	voted := presetWorld(t, "us-east-west")
	var got bytes.Buffer
	env, _, _ := testEnvironment()
	for _, v := range []statusView{viewOf(healthy(world), world), viewOf(broken, world), viewOf(healthy(voted), voted)} {
		v.text(page{&got, env.styles(&got)})
		got.WriteString("--------\n")
	}
	testkit.Golden(t, "testdata/status.txt", got.String())
}

// Colours change nothing but the colours: columns stay where they are.
func TestColoursKeepTheColumns(t *testing.T) {
	world := presetWorld(t, "nyc-lon-syd")
	plain, coloured := render(t, world), ""
	t.Setenv("CLICOLOR_FORCE", "1")
	coloured = render(t, world)
	if !strings.Contains(coloured, "\x1b[") {
		t.Fatal("no colours")
	}
	if got := withoutEscapes(coloured); got != plain {
		t.Errorf("want -, got +:\n%s", cmp.Diff(strings.Split(plain, "\n"), strings.Split(got, "\n")))
	}
}

func render(t *testing.T, w *topology.Topology) string {
	t.Helper()
	var b bytes.Buffer
	env, _, _ := testEnvironment()
	viewOf(healthy(w), w).text(page{&b, env.styles(&b)})
	return b.String()
}

// withoutEscapes drops SGR sequences and the spaces that they leave at the ends of lines.
func withoutEscapes(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		for {
			before, after, found := strings.Cut(line, "\x1b[")
			b.WriteString(before)
			if !found {
				break
			}
			_, line, _ = strings.Cut(after, "m")
		}
	}
	lines := strings.Split(b.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Join(lines, "\n")
}

func TestStatusAsJSONIsTheStatus(t *testing.T) {
	world := presetWorld(t, "nyc-lon-syd")
	env, stdout, _ := testEnvironment("-o", "json")
	want := healthy(world)
	if err := env.show(viewOf(want, world)); err != nil {
		t.Fatal(err)
	}
	var got cluster.Status
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestClusterListView(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	var got bytes.Buffer
	env, _, _ := testEnvironment()
	out := page{&got, env.styles(&got)}
	clusterList{}.text(out)
	clusterList{
		{Name: "geoshard", Started: started, Supervisor: 4711, Ready: true},
		{Name: "second", Started: started, Supervisor: 4712},
		{Name: "third", Started: started},
	}.text(out)
	want := `no cluster runs
name       state         started               supervisor
geoshard   running       2026-01-02 03:04:05   4711
second     starting      2026-01-02 03:04:05   4712
third      left behind   2026-01-02 03:04:05
`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// The names that completion offers are the names that commands take.
func TestMemberNamesAreTheLayout(t *testing.T) {
	got := memberNames(presetWorld(t, "us-east-west"))
	want := []string{"east/East", "east/East.2", "east/West", "east/West.2", "east/Central", "west/West", "west/West.2", "west/East", "west/East.2", "west/Central",
		"config/East", "config/West", "config/Central", "router/East", "router/West"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestSameWorld(t *testing.T) {
	a, b := presetWorld(t, "ebay"), presetWorld(t, "ebay")
	if !sameWorld(a, b) {
		t.Error("equal worlds differ")
	}
	b.Links[0].RTT++
	if sameWorld(a, b) {
		t.Error("a change was not seen")
	}
}
