//go:build unix

package docs

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/mongobin"
)

func TestMain(m *testing.M) {
	local.ChildMain()
	os.Exit(m.Run())
}

// prepare builds the programs and finds MongoDB's.
func prepare(t *testing.T) session {
	t.Helper()
	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", programs+"/", "./cmd/...")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	tools, err := mongobin.Ensure(t.Context(), mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return session{programs: programs, tools: []string{"GEOSHARD_MONGOD=" + tools.Mongod, "GEOSHARD_MONGOS=" + tools.Mongos}}
}

// Every command line of the documentation runs, or says why it does not. GEOSHARD_PAGE=docs/tutorial.md runs that page alone.
func TestTheDocumentationRuns(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	texts := pages(t)
	running := map[string][]block{}
	commands, skipped := 0, 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		blocks, problems := blocksOf(name, texts[name])
		for _, problem := range problems {
			t.Error(problem)
		}
		for _, b := range blocks {
			for _, line := range b.notRun {
				t.Logf("%s: not run: %s", b, line)
				skipped++
			}
			if n := countLines(b.commands); n > 0 {
				running[name] = append(running[name], b)
				commands += n
			}
		}
	}
	if len(running["README.md"]) == 0 {
		t.Error("README.md has no commands that run")
	}
	t.Logf("%d pages, %d of them with %d lines of commands that run; %d blocks or lines that do not", len(texts), len(running), commands, skipped)
	s := prepare(t)
	for _, name := range slices.Sorted(maps.Keys(running)) {
		if only := os.Getenv("GEOSHARD_PAGE"); only != "" && only != name {
			continue
		}
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			output, err := s.run(t, running[name])
			if err != nil {
				t.Errorf("%s: %v; the end of its output:\n%s", name, err, lastLines(output, 60))
			}
			t.Logf("%s: %d blocks in %s", name, len(running[name]), time.Since(began).Round(100*time.Millisecond))
		})
	}
}

// countLines counts lines that are neither empty nor comments.
func countLines(commands []string) int {
	n := 0
	for line := range strings.SplitSeq(strings.Join(commands, "\n"), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			n++
		}
	}
	return n
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// The shell itself: it ends at the first failure, names it, keeps what one block leaves for the next, and answers questions.
func TestTheShellEndsAtAFailure(t *testing.T) {
	s := session{programs: t.TempDir()}
	output, err := s.run(t, []block{{file: "a.md", line: 1, commands: []string{"x=7", "test -t 0"}}, {file: "a.md", line: 5, commands: []string{"test $x = 7", "printf '" + question + " ' && read answer", "echo \"answer: $answer\""}}})
	if err != nil || !strings.Contains(output, "@@ a.md:5") || !strings.Contains(output, "answer: yes") {
		t.Errorf("got %v:\n%s", err, output)
	}
	output, err = s.run(t, []block{{file: "b.md", line: 3, commands: []string{"sleep 600 &", "false || true", "grep nothing /dev/null", "echo too far"}}})
	if err == nil || !strings.Contains(output, "@@ exit code 1: grep nothing /dev/null") || strings.Contains(output, "too far") {
		t.Errorf("got %v, want the failing command named and nothing after it:\n%s", err, output)
	}
}
