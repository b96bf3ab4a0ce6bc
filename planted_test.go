package geoshard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts/test.sh is as red as its tests: one that fails now and then is red when it fails, in quarantine only when it fails three times, and three runs of everything tell
// how often. A job that is killed as a whole, which leaves no result at all, is no success.
func TestPlantedFailures(t *testing.T) {
	const test = "scripts/testdata/planted TestSometimes"
	for _, c := range []struct {
		name       string
		fails      string // the runs that fail
		quarantine string
		times      string
		red        bool
		want       string
	}{
		{name: "a failure is red", fails: "1", red: true, want: "1 passed, 1 failed, 0 skipped"},
		{name: "of three runs", fails: "3", times: "3", red: true, want: "1 of 3 runs failed: " + test},
		{name: "in quarantine it is tried again, loudly", fails: "12", quarantine: test + " 2026-11-28 planted\n", want: "FAILED, BUT IS IN QUARANTINE: " + test + "; try 3 of 3"},
		{name: "three failures are red in quarantine as well", fails: "123", quarantine: test + " 2026-11-28 planted\n", red: true, want: "1 passed, 1 failed, 0 skipped"},
		{name: "another's quarantine does not help", fails: "1", quarantine: "wan TestSometimes 2026-11-28 planted\n", red: true, want: "1 passed, 1 failed, 0 skipped"},
		{name: "a job that is killed is red", fails: "k", red: true, want: "NO RESULT: scripts/testdata/planted"},
		{name: "no failure", want: "2 passed, 0 failed, 0 skipped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out, err := runPlanted(t, c.fails, c.quarantine, "GEOSHARD_TIMES="+c.times)
			if (err != nil) != c.red || !strings.Contains(out, c.want) {
				t.Errorf("got %v, want red = %v and %q in:\n%s", err, c.red, c.want, out)
			}
		})
	}
}

// The list of tests in quarantine is short, readable and young.
func TestQuarantineIsChecked(t *testing.T) {
	row := func(n string, date string) string { return "wan Test" + n + " " + date + " a reason\n" }
	for name, c := range map[string]struct{ file, want string }{
		"six entries":  {row("A", "2026-11-28") + row("B", "2026-11-28") + row("C", "2026-11-28") + row("D", "2026-11-28") + row("E", "2026-11-28") + row("F", "2026-11-28"), "at most 5"},
		"no reason":    {"wan TestA 2026-11-28\n", "quarantine.txt:1: want PACKAGE TEST YYYY-MM-DD REASON"},
		"no date":      {"# a comment\nwan TestA soon a reason\n", "quarantine.txt:2: want PACKAGE"},
		"a subtest":    {row("A/b", "2026-11-28"), "name the top-level test"},
		"an old entry": {row("A", "2026-01-01"), "is there for more than 30 days"},
	} {
		cmd := exec.CommandContext(t.Context(), "python3", "scripts/testresults.py", "quarantine", "30")
		cmd.Env = append(os.Environ(), "GEOSHARD_QUARANTINE="+quarantineOf(t, c.file))
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: got %v, want an error with %q in:\n%s", name, err, c.want, out)
		}
	}
}

// runPlanted runs scripts/test.sh with a quarantine of its own on the planted tests, which fail in the runs that fails names, a digit each; k kills the job.
func runPlanted(t *testing.T, fails, quarantine string, env ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, n := range fails {
		if err := os.WriteFile(filepath.Join(dir, "fail-"+string(n)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "scripts/test.sh", "./scripts/testdata/planted")
	cmd.Env = append(append(os.Environ(), "GEOSHARD_PLANTED="+dir, "GEOSHARD_TEST_RESULTS=", "GEOSHARD_QUARANTINE="+quarantineOf(t, quarantine)), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// quarantineOf writes a list of tests in quarantine.
func quarantineOf(t *testing.T, entries string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quarantine.txt")
	if err := os.WriteFile(path, []byte(entries), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
