package demo_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// reportOf reads the one JSON document that a run has printed.
func reportOf(t *testing.T, s *stage) *demo.Report {
	t.Helper()
	report := &demo.Report{}
	if err := json.Unmarshal(s.stdout.Bytes(), report); err != nil {
		t.Fatalf("the standard output is no report: %v\n%s\n%s", err, s.stdout.String(), s.stderr.String())
	}
	return report
}

// The whole story, as a program reads it: the exit code is 0, every check held, and the sums are right.
func TestTheStoryHolds(t *testing.T) {
	clustertest.Needs(t, "a cluster of its own")
	t.Parallel()
	presets := []string{configs.Default}
	if testkit.Soak() {
		presets = append(presets, "us-east-west")
	}
	for _, preset := range presets {
		t.Run(preset, func(t *testing.T) {
			cmd, s := start(t, "--preset", preset, "--output", "json")
			code := exitCode(t, cmd)
			s.nothingLeft(t, nil)
			report := reportOf(t, s)
			if code != 0 || !report.AllHeld {
				t.Errorf("exit code %d, all held %v, want 0 and true\n%s", code, report.AllHeld, s.stderr.String())
			}
			world := world(t, preset)
			steps(t, report, preset)
			links(t, report, world)
			sums(t, report)
			t.Logf("%d checks, %s in all, %s to start; failover %+v, cut %+v, writes %+v, reads %+v, residency %+v", report.Checks.Held, report.Took, report.Started,
				report.Failover, report.Cut, report.Writes, report.Reads, report.Residency)
		})
	}
}

func world(t *testing.T, preset string) *topology.Topology {
	t.Helper()
	text, err := configs.Read(preset)
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse(preset, text)
	if err != nil {
		t.Fatal(err)
	}
	return world
}

// steps checks that every step was played, and counts the checks anew.
func steps(t *testing.T, report *demo.Report, preset string) {
	t.Helper()
	story := demo.Story(preset)
	if len(report.Steps) != len(story) {
		t.Fatalf("%d steps were played, want %d; the last: %+v", len(report.Steps), len(story), report.Steps[len(report.Steps)-1])
	}
	var counted demo.Tally
	took := time.Duration(0)
	for i, step := range report.Steps {
		if step.Name != story[i].Name || step.Error != "" {
			t.Errorf("step %d is %s (%s), want %s", i+1, step.Name, step.Error, story[i].Name)
		}
		checks := 0
		for _, line := range step.Lines {
			switch {
			case line.Check == nil:
				continue
			case line.Check.Held:
				counted.Held++
			default:
				counted.Failed++
				t.Errorf("step %s: %s: got %s, want %s", step.Name, line.Text, line.Check.Got, line.Check.Want)
			}
			checks++
		}
		if checks == 0 {
			t.Errorf("step %s checks nothing", step.Name)
		}
		took += time.Duration(step.Took)
	}
	if counted != report.Checks {
		t.Errorf("the lines have checks %+v, the report says %+v", counted, report.Checks)
	}
	if all := time.Duration(report.Took); took+time.Duration(report.Started) > all+time.Second {
		t.Errorf("the start took %s and the steps %s, all together %s", report.Started, took, report.Took)
	}
}

// links holds what was measured against the topology once more: a request over a link takes its round trip.
func links(t *testing.T, report *demo.Report, world *topology.Topology) {
	t.Helper()
	exchanges := 0
	for _, step := range report.Steps {
		for _, line := range step.Lines {
			x := line.Exchange
			if x == nil {
				continue
			}
			exchanges++
			if x.Status < 200 || x.Status > 299 || x.Took <= 0 {
				t.Errorf("step %s: %+v", step.Name, *x)
			}
			if rtt := world.RTT(x.From, x.To); x.To != "" && time.Duration(x.Took) < rtt {
				t.Errorf("step %s: from %s to %s in %s, and the round trip is %s", step.Name, x.From, x.To, x.Took, rtt)
			}
		}
	}
	if exchanges < 20 {
		t.Errorf("the story tells of %d requests only", exchanges)
	}
	for _, l := range report.Latencies {
		for _, a := range l.Abroad {
			if want := world.RTT(l.Datacenter, a.Home); time.Duration(a.RTT) != want || time.Duration(a.Write.Min) < want {
				t.Errorf("from %s to %s: round trip %s, quickest write %s, and the topology says %s", l.Datacenter, a.Home, a.RTT, a.Write.Min, want)
			}
			if a.Read.Crossed != 0 || a.Write.Crossed != a.Write.Count {
				t.Errorf("from %s to %s: %d reads and %d of %d writes crossed a link, want none and all", l.Datacenter, a.Home, a.Read.Crossed, a.Write.Crossed, a.Write.Count)
			}
		}
		for _, m := range []demo.Spread{l.LocalRead, l.LocalWrite, l.SafeWrite} {
			if m.Count == 0 || m.Min <= 0 || m.Min > m.P50 || m.P50 > m.Max || m.Crossed != 0 {
				t.Errorf("%s: %+v", l.Datacenter, m)
			}
		}
	}
}

// sums checks what the report adds up.
func sums(t *testing.T, report *demo.Report) {
	t.Helper()
	w := report.Writes
	if w.Promised != w.Stored+w.Lost-w.Doubled || w.Lost != 0 || w.Doubled != 0 || w.Acknowledged < w.Carts || w.Carts == 0 {
		t.Errorf("writes: %+v", w)
	}
	if r := report.Reads; r.Stale != 0 || r.WithToken == 0 || r.WithoutToken < r.Behind {
		t.Errorf("reads: %+v", r)
	}
	if r := report.Residency; r == nil || r.Documents == 0 || r.Misplaced+r.Orphans != 0 || r.Violations != 0 {
		t.Errorf("residency: %+v", r)
	}
	if f := report.Failover; f == nil || f.Elected <= 0 || f.Held <= 0 || f.Errors != 0 || f.Next == f.Killed || f.Writes == 0 {
		t.Errorf("failover: %+v", f)
	}
	if c := report.Cut; c == nil || c.Held <= 0 || c.HandedBack <= 0 {
		t.Errorf("cut: %+v", c)
	}
	if len(report.Sales) != len(report.Latencies) || len(report.Latencies) < 2 {
		t.Errorf("%d datacenters have sales, %d latencies", len(report.Sales), len(report.Latencies))
	}
	for _, s := range report.Sales {
		if s.Orders != 1 || s.Items == 0 || s.Revenue == 0 || s.Currency == "" {
			t.Errorf("sales: %+v", s)
		}
	}
}

// A step that is spoilt for real is noticed: its checks fail, and the exit code says so.
// The ordinary run has the step that is spoilt least: one read of twenty asks another datacenter.
func TestASpoiltStepIsNoticed(t *testing.T) {
	clustertest.Needs(t, "a cluster of its own")
	t.Parallel()
	names := []string{"latency"}
	if testkit.Soak() {
		names = nil
		for _, step := range demo.Story(configs.Default) {
			names = append(names, step.Name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			cmd, s := start(t, "--break", name, "--output", "json")
			code := exitCode(t, cmd)
			s.nothingLeft(t, nil)
			report := reportOf(t, s)
			if code != 1 || report.AllHeld || report.Broken != name {
				t.Errorf("exit code %d, all held %v, broken %q, want 1, false and %q", code, report.AllHeld, report.Broken, name)
			}
			failed := 0
			for _, step := range report.Steps {
				if step.Error != "" {
					t.Errorf("step %s broke off: %s", step.Name, step.Error)
				}
				for _, line := range step.Lines {
					if line.Check == nil || line.Check.Held {
						continue
					}
					failed++
					t.Logf("%s: got %s, want %s", line.Text, line.Check.Got, line.Check.Want)
					if step.Name != name {
						t.Errorf("a check of step %s failed, which was not spoilt", step.Name)
					}
				}
			}
			if failed == 0 || failed != report.Checks.Failed {
				t.Errorf("%d checks failed, the report says %d, want some", failed, report.Checks.Failed)
			}
		})
	}
}
