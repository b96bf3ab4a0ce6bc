//go:build unix

package dashboard_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/demo/dashboard"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A screen is what a program has written so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

var printed = regexp.MustCompile(`dashboard: (http://127\.0\.0\.1:\d+/)#token=(\S+)`)

// The command prints an address that is good for all, stays until Ctrl-C, and leaves nothing.
func TestTheCommandServesThePageUntilItIsInterrupted(t *testing.T) {
	clustertest.Needs(t, "a cluster of its own")
	dir := t.TempDir()
	program := filepath.Join(dir, "geoshard")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/geoshard").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	state := filepath.Join(dir, "clusters")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "demo", "--serve", "--no-story", "--listen", "127.0.0.1:0", "--name", "dashboard-command")
	cmd.Env = append(os.Environ(), local.StateDirEnv+"="+state)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal interrupts the group
	var said screen
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var address []string
	testkit.Eventually(t, testkit.Patience, "the address of the page", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("it ended: %v\n%s", err, said.String())
		default:
		}
		address = printed.FindStringSubmatch(said.String())
		return address != nil
	})
	if got := status(t, http.MethodGet, address[1], ""); got != http.StatusOK {
		t.Errorf("the page: got %d, want 200", got)
	}
	for secret, want := range map[string]int{address[2]: http.StatusNoContent, "another": http.StatusUnauthorized} {
		if got := status(t, http.MethodPost, address[1]+"api/hello", secret); got != want {
			t.Errorf("a button with the token %q: got %d, want %d", secret, got, want)
		}
	}
	began := time.Now()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after Ctrl-C: %v, want exit code 0\n%s", err, said.String())
	}
	t.Logf("ended %s after Ctrl-C", time.Since(began).Round(time.Millisecond))
	if left, err := os.ReadDir(state); err != nil || len(left) > 0 {
		t.Errorf("left in the directory of clusters: %v, %v", left, err)
	}
}

func status(t *testing.T, method, url, secret string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set(dashboard.HeaderToken, secret)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
