package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/zonestest"
)

// errHidden is what a source answers that may not tell.
var errHidden = errors.New("hidden")

// A telling source has something to say of each kind; where hidden is set, each answer is refused.
type telling struct {
	quiet
	may    plan.Privileges
	hidden bool
}

func (s telling) answer() error {
	if s.hidden {
		return errHidden
	}
	return nil
}

func (s telling) LastDone(context.Context) (*zones.Run, error) { return nil, s.answer() }

func (s telling) Unfinished(context.Context) ([]zones.Run, error) {
	return []zones.Run{{ID: "r", Owner: "ann", Holds: []string{"shop.carts"}}}[:s.told()], s.answer()
}

func (s telling) UnknownValues(context.Context, zones.Placement) (int64, []string, error) {
	return int64(3 * s.told()), []string{`"TOK"`}, s.answer()
}

func (s telling) Measure(_ context.Context, f *zones.Forecast) error {
	f.Measured = !s.hidden
	return s.answer()
}

func (s telling) Privileges(context.Context) (plan.Privileges, error) {
	if s.hidden {
		return plan.Privileges{}, errHidden
	}
	return s.may, nil
}

func (s telling) Applying(_ context.Context, p *zones.Plan) time.Duration {
	return time.Duration(s.told()*len(p.Steps)) * time.Second
}

func (s telling) told() int {
	if s.hidden {
		return 0
	}
	return 1
}

func (telling) Refused(err error) bool { return errors.Is(err, errHidden) }

func TestMakeAsksItsSource(t *testing.T) {
	w := plan.SampleWorld(t)
	state := plan.SampleState(t, w)
	state.Collections[0].Chunks[1].Shard = "syd" // so that something moves
	state.Collections[0].Ranges = state.Collections[0].Ranges[1:]
	source := func(roles ...plan.Role) telling {
		s := telling{quiet: quiet{zonestest.New(*state), &zonestest.Journal{}}}
		s.may.Enforced = true
		for _, r := range roles {
			s.may.Granted = append(s.may.Granted, r.Privileges...)
		}
		return s
	}
	names := zones.Declared(w)
	hidden := source()
	hidden.hidden = true
	early := *state
	early.Version = "6.0.2"
	old := telling{quiet: quiet{zonestest.New(early), &zonestest.Journal{}}}
	old.may = plan.Privileges{Enforced: true, Granted: plan.PlanRole(names).For("6.0.2").Privileges}
	for _, c := range []struct {
		name   string
		source telling
		want   []string // rules with their severities
	}{
		{"a user who may nothing", source(), []string{"error missing-privileges " + plan.PlanRoleName, "warning apply-interrupted", "unknown-values"}},
		{"a user who may plan", source(plan.PlanRole(names)), []string{"warning missing-privileges " + plan.ApplyRoleName, "warning apply-interrupted", "unknown-values"}},
		{"a user who may apply", source(plan.ApplyRole(names)), []string{"warning apply-interrupted", "unknown-values"}},
		{"a source that tells nothing", hidden, nil},
		{"a role of 6.0.2, which lacks what that does not know", old, []string{"warning missing-privileges " + plan.ApplyRoleName, "warning apply-interrupted", "unknown-values"}},
		{"a role of 6.0.2 where the servers have been upgraded", source(plan.PlanRole(names).For("6.0.2")), []string{"error missing-privileges " + plan.PlanRoleName, "warning apply-interrupted", "unknown-values"}},
	} {
		made, err := plan.Make(t.Context(), c.source, w, plan.Options{}, noon)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, f := range made.Findings {
			if f.Rule == "missing-privileges" || f.Rule == "apply-interrupted" || f.Rule == "unknown-values" {
				got = append(got, strings.Join([]string{f.Severity.String(), f.Rule, f.Subject}, " "))
				if f.Rule == "missing-privileges" && !strings.HasPrefix(f.Message, "this user lacks ") {
					t.Errorf("%s: got %q", c.name, f.Message)
				}
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.Join(got, "\n"), want) {
				t.Errorf("%s: got %q, want %q among them", c.name, got, want)
			}
		}
		if (made.Applying > 0) == c.source.hidden {
			t.Errorf("%s: applying takes %s", c.name, made.Applying)
		}
		if made.Forecast.Measured == c.source.hidden {
			t.Errorf("%s: measured is %v", c.name, made.Forecast.Measured)
		}
	}
	broken := source()
	broken.quiet = quiet{zonestest.New(*state), &zonestest.Journal{}}
	if _, err := plan.Make(t.Context(), failing{broken}, w, plan.Options{}, noon); !errors.Is(err, errBroken) {
		t.Errorf("a source that fails: got %v, want its error", err)
	}
}

var errBroken = errors.New("not primary")

// failing is a source whose journal cannot be read for a reason that is none of refusals.
type failing struct{ telling }

func (failing) LastDone(context.Context) (*zones.Run, error) { return nil, errBroken }

var _ plan.Source = failing{}
