package mongobin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// installer is a second process that installs from the site into dir.
func installer(t *testing.T, s *site, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "MONGOBIN_TEST_INSTALL="+dir, "MONGOBIN_TEST_URL="+s.URL)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// Two processes race for the cache: one fetches, the other waits for it and finds the result.
func TestTwoProcessesInstallAtOnce(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t), slow)
	dir := filepath.Join(t.TempDir(), "cache")
	first, firstOut := installer(t, s, dir)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-s.started // the first one is in the middle of its download
	second, _ := installer(t, s, dir)
	waiting := &waitFor{text: "waiting for another process", seen: make(chan struct{})}
	second.Stdout, second.Stderr = waiting, waiting
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	<-waiting.seen
	close(s.goOn)
	if err := first.Wait(); err != nil {
		t.Fatalf("first: %v\n%s", err, firstOut)
	}
	if err := second.Wait(); err != nil {
		t.Fatalf("second: %v\n%s", err, waiting.all.String())
	}
	mongod := filepath.Join(dir, "8.0.32", "mongod")
	for _, out := range []string{firstOut.String(), waiting.all.String()} {
		if !strings.HasSuffix(strings.TrimSpace(out), mongod) {
			t.Errorf("a process printed %q, want %s at the end", out, mongod)
		}
	}
	if n := s.hits.Load(); n != 1 {
		t.Errorf("the archive was fetched %d times, want once", n)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// An installation that is killed leaves a temporary directory, and nothing that looks installed; the next one cleans up.
func TestInstallAfterAKilledOne(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t), slow)
	dir := filepath.Join(t.TempDir(), "cache")
	cmd, out := installer(t, s, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-s.started
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("the killed process ended well: %s", out)
	}
	if left := leftovers(t, dir); len(left) != 1 || !strings.HasPrefix(left[0], tempPrefix) {
		t.Fatalf("the killed process left %v, want its temporary directory (else this test shows nothing)", left)
	}
	o := newSite(t, s.archive).options(t)
	o.CacheDir = dir
	if _, err := Install(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A waitFor collects output and closes seen when the text is in it.
type waitFor struct {
	text string
	seen chan struct{}
	done bool
	all  bytes.Buffer
}

func (w *waitFor) Write(p []byte) (int, error) {
	n, err := w.all.Write(p)
	if !w.done && strings.Contains(w.all.String(), w.text) {
		w.done = true
		close(w.seen)
	}
	return n, err
}
