package demo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/placement"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// pretend is a play without a world that runs: for what only needs the topology.
func pretend(t *testing.T, preset string) *play {
	t.Helper()
	declared, err := declaredWorld(preset)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{topology: declared, homes: placement.Homes(declared), places: map[topology.DatacenterID]*place{}}
	return &play{World: w, listen: func(Event) {}, report: &Report{}, step: &StepReport{}}
}

var presets = []string{configs.Default, eastWest}

func TestStepsHaveNamesTitlesAndAWayToSpoilThem(t *testing.T) {
	for _, preset := range presets {
		seen := map[string]bool{}
		for _, step := range Story(preset) {
			if step.Name == "" || step.Title == "" || step.Spoilt == "" || step.run == nil || seen[step.Name] {
				t.Errorf("%s: %+v", preset, step)
			}
			seen[step.Name] = true
			if err := CheckStep(preset, step.Name); err != nil {
				t.Error(err)
			}
		}
		t.Logf("%s: %d steps", preset, len(seen))
	}
	var unknown *UnknownStepError
	if err := CheckStep(configs.Default, "dealy"); !errors.As(err, &unknown) || unknown.Hint() != `did you mean "delay"?` {
		t.Errorf("got %v", err)
	}
}

// The presets' worlds declare all that the shop has, and are valid with the router section that is added.
func TestTheWorldDeclaresTheWholeShop(t *testing.T) {
	for _, preset := range presets {
		p := pretend(t, preset)
		for i, dc := range p.homes {
			p.places[dc] = &place{dc: dc, front: fmt.Sprintf("127.0.0.1:%d", i+1), gate: fmt.Sprintf("http://127.0.0.1:%d", i+11)}
		}
		if err := p.route(p.topology); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if len(p.topology.Namespaces) != 6 {
			t.Errorf("%s: %d collections, want the shop's 6", preset, len(p.topology.Namespaces))
		}
		if _, err := router.NewTable(p.topology); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
	}
	if _, err := declaredWorld("nowhere"); err == nil {
		t.Error("an unknown preset was taken")
	}
}

// What the article says of both coasts is also what the distances say.
func TestCoastsAreNearestToTheirDatacenters(t *testing.T) {
	p := pretend(t, eastWest)
	for _, side := range coastal {
		for _, v := range side.places {
			if got := client.Nearest(p.topology, p.homes, v.at); got != side.home {
				t.Errorf("%s: nearest is %s, want %s", v.name, got, side.home)
			}
		}
	}
	if got := client.Nearest(pretend(t, configs.Default).topology, []topology.DatacenterID{"NYC", "LON", "SYD"}, sanFrancisco.at); got != "NYC" {
		t.Errorf("San Francisco: got %s, want NYC", got)
	}
}

func TestTheKilledAndTheLostAreNotTheSame(t *testing.T) {
	for _, preset := range presets {
		p := pretend(t, preset)
		if p.away() == p.lost() {
			t.Errorf("%s: both are %s", preset, p.away())
		}
	}
}

func TestTheMemberThatAnsweredIsNamed(t *testing.T) {
	p := pretend(t, configs.Default)
	p.notePrimaries(cluster.Status{Members: []cluster.Member{{Name: "lon/NYC", Shard: "lon", Role: cluster.RolePrimary, State: cluster.StateUp}}})
	for served, want := range map[string]string{
		"LON expected; router 127.0.0.1:1; primary; 0s":       "lon/NYC", // its home is LON, and that is not where it is
		"SYD expected; router 127.0.0.1:1; nearest; unknown":  "lon/SYD",
		"SYD; router 127.0.0.1:1; secondary preferred; 14.8s": "lon/SYD",
		"": "",
	} {
		if got := p.member(client.Exchange{Path: "/v1/carts/LON.01K4B4B2V8G3T0000000000000/items", ServedBy: served}); got != want {
			t.Errorf("%q: got %q, want %q", served, got, want)
		}
	}
	if got := p.member(client.Exchange{Path: "/v1/analytics", ServedBy: "SYD; router 127.0.0.1:1; secondary preferred; 14.8s"}); got != "" {
		t.Errorf("totals of all shards: got %q, want no member", got)
	}
}

func TestSpoiltFailoverLeavesNoMajority(t *testing.T) {
	for _, preset := range presets {
		p := pretend(t, preset)
		if got := p.further(p.shardOf(p.away()), "x"); got != nil {
			t.Errorf("not spoilt: %v", got)
		}
		p.broken = "failover"
		for _, shard := range p.topology.Shards {
			primary := shard.MemberName(0)
			dead := append(p.further(shard.ID, primary), primary)
			if left := len(shard.Members) - len(dead); 2*left > len(shard.Members) || strings.Contains(strings.Join(dead[:len(dead)-1], " ")+" ", primary+" ") {
				t.Errorf("%s of %s: %v are dead, %d are left of %d", shard.ID, preset, dead, left, len(shard.Members))
			}
		}
	}
}

func TestSpreadsAreOfWhatWasMeasured(t *testing.T) {
	var all []client.Answer
	for _, ms := range []int{5, 1, 9, 3, 7} {
		all = append(all, client.Answer{Exchange: client.Exchange{Took: cluster.Duration(time.Duration(ms) * time.Millisecond)}})
	}
	want := Spread{Count: 5, Min: cluster.Duration(time.Millisecond), P50: cluster.Duration(5 * time.Millisecond), Max: cluster.Duration(9 * time.Millisecond)}
	if got := spread(all); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := spread(nil); got != (Spread{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// What a member copies is no request; what a query router, the core beneath it or a client asks is one.
func TestRequestsAreToldFromCopying(t *testing.T) {
	for source, want := range map[string]bool{"": true, cluster.Router + "/NYC": true, cluster.RouterCore + "/NYC": true, "nyc/LON": false, "config/SYD": false} {
		if got := program(source); got != want {
			t.Errorf("%q: got %v, want %v", source, got, want)
		}
	}
}

// One request of many that crossed a link is enough for the check to fail, however quick the others were.
func TestOneCrossingFailsTheCheck(t *testing.T) {
	p := pretend(t, configs.Default)
	p.stayed("reads", Spread{Count: 20, Crossed: 0})
	p.stayed("reads", Spread{Count: 20, Crossed: 1, Way: "NYC to lon/LON in LON"})
	if want := (Tally{Held: 1, Failed: 1}); p.report.Checks != want {
		t.Errorf("got %+v, want %+v", p.report.Checks, want)
	}
	if got, want := p.step.Lines[1].Check.Got, "1, one from NYC to lon/LON in LON"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A check that does not hold counts as failed, wherever the report is looked at.
func TestChecksAreCounted(t *testing.T) {
	p := pretend(t, configs.Default)
	var told []Line
	p.listen = func(e Event) { told = append(told, e.(Told).Line) }
	same(p, "one", 1, 1)
	same(p, "two", 2, 3)
	p.atLeast("three", cluster.Duration(time.Millisecond), 76*time.Millisecond)
	p.atLeast("four", cluster.Duration(time.Second), 76*time.Millisecond)
	p.say("five")
	if want := (Tally{Held: 2, Failed: 2}); p.report.Checks != want || len(told) != 5 || len(p.step.Lines) != 5 {
		t.Errorf("got %+v, %d lines told, %d kept", p.report.Checks, len(told), len(p.step.Lines))
	}
}
