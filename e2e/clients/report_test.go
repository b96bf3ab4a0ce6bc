package clients_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/e2e/clients"
)

func TestReadReport(t *testing.T) {
	var heard []string
	got, err := clients.ReadReport(strings.NewReader("ok a\nWarning: old\n# 3 writes\nnot ok b c: got x: 1, want 2\r\n= v: {\"x\": 1}\n\ndone 2\n"),
		func(line string) { heard = append(heard, line) })
	if err != nil {
		t.Fatal(err)
	}
	want := clients.Report{
		Checks: []clients.Check{{Name: "a", OK: true}, {Name: "b c", Detail: "got x: 1, want 2"}},
		Values: []clients.Value{{Name: "v", JSON: `{"x": 1}`}},
		Notes:  []string{"3 writes"},
		Noise:  []string{"Warning: old"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if len(heard) != 7 {
		t.Errorf("heard %d lines, want 7: %q", len(heard), heard)
	}
}

// A report that is not whole must never pass for a good one.
func TestReadReportRefuses(t *testing.T) {
	for name, printed := range map[string]string{
		"nothing":            "",
		"no closing line":    "ok a\n",
		"fewer than counted": "ok a\ndone 2\n",
		"more than counted":  "ok a\nok b\ndone 1\n",
		"a count of nothing": "ok a\ndone\n",
		"a bad count":        "ok a\ndone one\n",
		"a negative count":   "done -1\n",
		"two ends":           "ok a\ndone 1\ndone 1\n",
		"a name twice":       "ok a\nok a\ndone 2\n",
		"a value twice":      "= v: 1\n= v: 2\ndone 0\n",
		"an endless line":    strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := clients.ReadReport(strings.NewReader(printed), nil); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

// Every report that was cut anywhere before its last character is refused.
func TestReadReportOfACutReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 9).Draw(t, "checks")
		var printed strings.Builder
		for i := range count {
			fmt.Fprintf(&printed, "%s check %d\n", rapid.SampledFrom([]string{"ok", "not ok"}).Draw(t, "kind"), i)
		}
		fmt.Fprintf(&printed, "done %d\n", count)
		whole := printed.String()
		report, err := clients.ReadReport(strings.NewReader(whole), nil)
		if err != nil || len(report.Checks) != count {
			t.Fatalf("got %d checks and %v, want %d", len(report.Checks), err, count)
		}
		cut := rapid.IntRange(0, len(whole)-2).Draw(t, "cut")
		if _, err := clients.ReadReport(strings.NewReader(whole[:cut]), nil); err == nil {
			t.Errorf("no error for %q of %q", whole[:cut], whole)
		}
	})
}

func TestDifferences(t *testing.T) {
	report := func(checks, values string) clients.Report {
		var r clients.Report
		for _, name := range strings.Fields(checks) {
			r.Checks = append(r.Checks, clients.Check{Name: name, OK: true})
		}
		for _, v := range strings.Fields(values) {
			name, json, _ := strings.Cut(v, "=")
			r.Values = append(r.Values, clients.Value{Name: name, JSON: json})
		}
		return r
	}
	for _, tt := range []struct {
		name      string
		got, want clients.Report
		lines     []string
	}{
		{"alike", report("a b", "v=1"), report("a b", "v=1"), nil},
		{"another order", report("b a", "w=2 v=1"), report("a b", "v=1 w=2"), nil},
		{"a check is missing", report("a", ""), report("a b", ""), []string{`check "b" was not made`}},
		{"a check too many", report("a b", ""), report("a", ""), []string{`check "b" is made here only`}},
		{"another value", report("", "v=1"), report("", "v=2"), []string{`value "v": got 1, want 2`}},
		{"a value is missing", report("", ""), report("", "v=2"), []string{`value "v" was not printed, want 2`}},
		{"a value too many", report("", "v=1"), report("", ""), []string{`value "v" is printed here only`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := clients.Differences(tt.got, tt.want); !slices.Equal(got, tt.lines) {
				t.Errorf("got %q, want %q", got, tt.lines)
			}
		})
	}
}
