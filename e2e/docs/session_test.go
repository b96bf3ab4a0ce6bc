//go:build unix

package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
)

// prelude makes a shell that ends at the first failure and says where it was. What it has left in the background ends with it, also where hangups are ignored, as
// under nohup.
const prelude = `set -eE -o pipefail
trap 'status=$?; echo "@@ exit code $status: $BASH_COMMAND" >&2; exit $status' ERR
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
make() { command make -C "$REPOSITORY" "$@"; }
`

// script is what a shell runs of a page.
func script(blocks []block) string {
	var b strings.Builder
	b.WriteString(prelude)
	for _, block := range blocks {
		fmt.Fprintf(&b, "echo '@@ %s'\n", block)
		for _, command := range block.commands {
			b.WriteString(command + "\n")
		}
	}
	return b.String()
}

// A session is a shell with what a reader of the documentation has.
type session struct {
	programs string   // the directory of geoshard's programs
	tools    []string // the environment that names MongoDB's
}

// run runs a page's commands. All that they start has ended when it returns.
func (s session) run(t *testing.T, blocks []block) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	dir, state := t.TempDir(), t.TempDir()
	repository, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "bash", "-c", script(blocks))
	cmd.Dir = filepath.Join(dir, "work")
	if err := os.Mkdir(cmd.Dir, 0o755); err != nil {
		return "", err
	}
	cmd.Env = append(os.Environ(), "PATH="+s.programs+string(os.PathListSeparator)+os.Getenv("PATH"), "REPOSITORY="+repository,
		local.StateDirEnv+"="+state, "XDG_CONFIG_HOME="+dir, "GEOSHARD_URI=", "GEOSHARD_NAME=", "GEOSHARD_GOLDEN=", "MAKEFLAGS=")
	cmd.Env = append(cmd.Env, s.tools...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	terminal, in, err := pty.Open()
	if err != nil {
		return "", err
	}
	defer func() { _ = errors.Join(terminal.Close(), in.Close()) }()
	said := &listener{terminal: terminal}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, said, said
	err = cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what runs in the background; mostly nothing
	}
	return said.String(), errors.Join(err, takeDown(state))
}

// takeDown stops the clusters that a page leaves running.
func takeDown(state string) error {
	running, err := local.List(state)
	problems := []error{err}
	for _, c := range running {
		if err := local.Down(context.Background(), c.Name, state); err != nil && !errors.Is(err, cluster.ErrNotRunning) {
			problems = append(problems, fmt.Errorf("stop the cluster %s: %w", c.Name, err))
		}
	}
	return errors.Join(problems...)
}

// A listener keeps what is said, and answers yes where that is asked for.
type listener struct {
	terminal io.Writer

	mu       sync.Mutex
	said     bytes.Buffer // guarded by mu
	answered int          // guarded by mu; how much of said has been answered
}

const question = "Only yes is taken for a yes:"

func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said.Write(p)
	if i := bytes.LastIndex(l.said.Bytes(), []byte(question)); i >= l.answered {
		l.answered = i + len(question)
		if _, err := io.WriteString(l.terminal, "yes\n"); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (l *listener) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.said.String()
}
