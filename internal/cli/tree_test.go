package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func testEnvironment(args ...string) (*environment, *bytes.Buffer, *bytes.Buffer) {
	var stdout, stderr bytes.Buffer
	return newEnvironment(args, strings.NewReader(""), &stdout, &stderr), &stdout, &stderr
}

// Every command explains itself, with examples that its own flags take.
func TestEveryCommandHasHelpAndExamplesThatParse(t *testing.T) {
	env, _, _ := testEnvironment()
	commands, examples := 0, 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		commands++
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s: want a short text, a long text and examples", cmd.CommandPath())
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "geoshard ") {
				continue
			}
			examples++
			if err := parses(line); err != nil {
				t.Errorf("%s: example %q: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(env))
	t.Logf("%d commands, %d examples", commands, examples)
}

// parses checks an example's command, flags and arguments without running it.
func parses(line string) error {
	line, _, _ = strings.Cut(line, " #")
	line, _, _ = strings.Cut(line, " >")
	line, _, _ = strings.Cut(line, " |")
	env, _, _ := testEnvironment()
	cmd, args, err := newRootCommand(env).Find(strings.Fields(line)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(args); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

type hinted struct{ hint string }

func (h hinted) Error() string { return "wrong" }
func (h hinted) Hint() string  { return h.hint }

func TestFinish(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{fmt.Errorf("plan: %w", errDifferences), 2, ""},
		{errors.New("no"), 1, "geoshard: no\n"},
		{fmt.Errorf("up: %w", hinted{"do that"}), 1, "geoshard: up: wrong\ngeoshard: hint: do that\n"},
		{errors.Join(errors.New("first"), fmt.Errorf("second: %w", hinted{"do that"})), 1, "geoshard: first\ngeoshard: second: wrong\ngeoshard: hint: do that\n"},
		{fmt.Errorf("outer: %w", hinted{""}), 1, "geoshard: outer: wrong\n"},
	} {
		env, stdout, stderr := testEnvironment()
		if code := env.finish(c.err); code != c.code || stderr.String() != c.want || stdout.Len() > 0 {
			t.Errorf("%v: got %d %q, want %d %q", c.err, code, stderr, c.code, c.want)
		}
	}
}

func TestNoColoursOutsideATerminal(t *testing.T) {
	env, stdout, _ := testEnvironment()
	if err := env.show(written{File: "f", Preset: "p"}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stdout.String(), "\x1b") {
		t.Errorf("got escape sequences: %q", stdout)
	}
}

func TestColoursCanBeForcedAndRefused(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	env, stdout, _ := testEnvironment()
	v := validation{File: "f", Valid: true}
	if err := env.show(v); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stdout.String(), "\x1b[") {
		t.Errorf("forced: got no colours: %q", stdout)
	}
	env, stdout, _ = testEnvironment()
	env.noColor = true
	if err := env.show(v); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stdout.String(), "\x1b") {
		t.Errorf("--no-color: got %q", stdout)
	}
}

// An interrupted command ends with its context; Main returns.
func TestMainEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := Main(ctx, []string{"version"}, strings.NewReader(""), &stdout, &stderr); code != exitDone {
		t.Errorf("got %d %s", code, &stderr)
	}
}

func TestSettingNames(t *testing.T) {
	env, _, _ := testEnvironment()
	names := settingNames(newRootCommand(env))
	for _, want := range []string{"output", "no-color"} {
		if !slices.Contains(names, want) {
			t.Errorf("got %v, want %s among them", names, want)
		}
	}
	if slices.Contains(names, "force") {
		t.Errorf("got %v: force is no setting", names)
	}
}
