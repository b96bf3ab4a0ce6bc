package cli

import (
	"slices"
	"strings"
	"testing"
)

// The shell stays open unless its arguments run something, and no argument holds the connection string.
func TestShellArguments(t *testing.T) {
	for _, c := range []struct {
		args  string
		stays bool
	}{
		{"", true},
		{"--quiet", true},
		{"--quiet --eval sh.status()", false},
		{"--eval=sh.status()", false},
		{"--file script.js", false},
		{"script.js", false},
	} {
		got := shellArguments(strings.Fields(c.args))
		if stays := slices.Contains(got, "--shell"); stays != c.stays {
			t.Errorf("%q: got --shell %v, want %v", c.args, stays, c.stays)
		}
		if strings.Contains(strings.Join(got, " "), "mongodb://") {
			t.Errorf("%q: got %q", c.args, got)
		}
	}
}

// What follows the dashes stays as it is, whatever is made of what comes before.
func TestSplitAtDashKeepsTheRest(t *testing.T) {
	cmd := newShellCommand(nil)
	if err := cmd.ParseFlags([]string{"LON", "--", "--quiet", "--eval"}); err != nil {
		t.Fatal(err)
	}
	own, rest := splitAtDash(cmd, cmd.Flags().Args())
	_ = append(own, "NYC", "LON")
	if !slices.Equal(own, []string{"LON"}) || !slices.Equal(rest, []string{"--quiet", "--eval"}) {
		t.Errorf("got %q and %q", own, rest)
	}
}
