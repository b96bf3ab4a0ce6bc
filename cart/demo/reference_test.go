package demo

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/internal/reference"
)

// TestReferenceIsUpToDate compares docs/reference with the commands of cartdemo; `make docs` mends it.
func TestReferenceIsUpToDate(t *testing.T) {
	const dir = "../../docs/reference"
	pages := reference.Commands(newRoot(), nil)
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := reference.Write(dir, "cartdemo", pages); err != nil {
			t.Fatal(err)
		}
		return
	}
	stale, err := reference.Stale(dir, "cartdemo", pages)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("out of date: %v (make docs)", stale)
	}
	t.Logf("%d pages", len(pages))
}

// The examples of the help take the flags and arguments that the commands have.
func TestExamplesOfTheHelpParse(t *testing.T) {
	examples := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			_, line, found := strings.Cut(line, "cartdemo ")
			if !found {
				continue
			}
			line, _, _ = strings.Cut(line, " >")
			examples++
			called, args, err := newRoot().Find(strings.Fields(line))
			if err == nil {
				err = called.ParseFlags(args)
			}
			if err == nil {
				err = called.ValidateArgs(called.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	if examples == 0 {
		t.Error("no examples found")
	}
	t.Logf("%d examples", examples)
}
