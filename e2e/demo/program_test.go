package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gopsutilnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/geoshard/geoshard/cluster/local"
)

// program is the path of geoshard, built for this run.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "geoshard-e2e-demo-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "geoshard")
	build := exec.Command("go", "build", "-o", program, "../../cmd/geoshard")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build geoshard: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A stage is where one run of the program keeps its cluster.
type stage struct {
	dir            string
	stdout, stderr bytes.Buffer
}

// start starts the program. It has a process group of its own, as a command at a terminal has, and ends with the test at the latest.
func start(t *testing.T, args ...string) (*exec.Cmd, *stage) {
	t.Helper()
	s := &stage{dir: t.TempDir()}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // beyond every deadline of the program's own
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), local.StateDirEnv+"="+s.dir)
	cmd.Stdout, cmd.Stderr = &s.stdout, &s.stderr
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, s
}

// exitCode waits for the program's end.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// ports are those that the cluster has, as far as it has come to take any.
func (s *stage) ports() (ports []int) {
	text, err := os.ReadFile(filepath.Join(s.dir, "demo", "state.json"))
	if err != nil {
		return nil
	}
	var state struct {
		Control string
		Members []struct {
			Host string
			Port int
		}
	}
	if json.Unmarshal(text, &state) != nil {
		return nil
	}
	add := func(address string) {
		if a, err := net.ResolveTCPAddr("tcp", address); err == nil && a.Port > 0 {
			ports = append(ports, a.Port)
		}
	}
	add(state.Control)
	for _, m := range state.Members {
		add(m.Host)
		ports = append(ports, m.Port)
	}
	return ports
}

// nothingLeft looks for what a run has left behind: processes that name its directory, ports that are still taken, files.
func (s *stage) nothingLeft(t *testing.T, ports []int) {
	t.Helper()
	all, err := process.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		line, err := p.Cmdline()
		if err == nil && strings.Contains(line, s.dir) { // one that has ended meanwhile has none
			t.Errorf("process %d is left: %s", p.Pid, line)
		}
	}
	s.portsFree(t, ports)
	_ = filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != s.dir {
			t.Errorf("left on disk: %s", path)
		}
		return nil
	})
}

// portsFree looks for ports of a run that are still taken. Another program may have got one meanwhile.
func (s *stage) portsFree(t *testing.T, ports []int) {
	t.Helper()
	for _, port := range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = l.Close()
			continue
		}
		listening, problem := gopsutilnet.Connections("tcp")
		if problem != nil {
			t.Fatal(problem)
		}
		for _, c := range listening {
			if c.Status != "LISTEN" || int(c.Laddr.Port) != port {
				continue
			}
			p, problem := process.NewProcess(c.Pid)
			line := ""
			if problem == nil {
				line, problem = p.Cmdline()
			}
			if problem != nil || strings.Contains(line, s.dir) {
				t.Errorf("port %d is left: %v; process %d: %s", port, err, c.Pid, line)
			}
		}
	}
}
