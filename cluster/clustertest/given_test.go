package clustertest_test

import (
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cluster/clustertest"
)

// A skipper notes what a test is skipped with.
type skipper struct {
	testing.TB
	why []string
}

func (s *skipper) Helper() {}

func (s *skipper) Name() string { return "TestKill" }

func (s *skipper) Skipf(format string, args ...any) {
	s.why = append(s.why, strings.ReplaceAll(format, "%s", "|"))
	for _, a := range args {
		s.why = append(s.why, a.(string))
	}
}

// A test that needs more than a query router runs where the tests have clusters of their own, and is skipped by name, in words that scripts/test.sh looks for,
// where they were given one.
func TestNeedsSkipsByName(t *testing.T) {
	t.Setenv("GEOSHARD_TEST_URI", "")
	s := &skipper{TB: t}
	if clustertest.Needs(s, "to kill"); len(s.why) != 0 {
		t.Errorf("without a given cluster: skipped: %v", s.why)
	}
	t.Setenv("GEOSHARD_TEST_URI", "mongodb://127.0.0.1:1/")
	clustertest.Needs(s, "to kill")
	said := strings.Join(s.why, " ")
	for _, want := range []string{"NOT TESTED against", "GEOSHARD_TEST_URI", "TestKill", "to kill"} {
		if !strings.Contains(said, want) {
			t.Errorf("skipped with %q, want %q in it", said, want)
		}
	}
}
