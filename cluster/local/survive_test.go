package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
)

// superviseEnv makes a re-executed test binary start a small cluster in that directory and wait to be killed.
const superviseEnv = "GEOSHARD_TEST_SUPERVISE"

func supervise(dir string) {
	world, err := clustertest.Small()
	if err == nil {
		_, err = local.Start(context.Background(), local.Options{Name: "doomed", Dir: dir, Topology: world})
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

// A killed supervisor takes its children along, and Down removes its directory.
func TestKilledSupervisorLeavesNothing(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	t.Parallel()
	dir := t.TempDir()
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), superviseEnv+"="+dir)
	out, err := supervisor.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("supervisor said %q, %v", line, err)
	}
	children := recorded(t, filepath.Join(dir, "doomed"))
	if len(children) < 5 { // 3 shards, config, router; a development router has another mongod besides
		t.Fatalf("got %d recorded processes, want at least 5", len(children))
	}
	if err := supervisor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = supervisor.Wait() // "signal: killed"
	for _, pid := range children {
		testkit.Eventually(t, testkit.Patience, fmt.Sprintf("process %d ends", pid), func() bool { return !runs(pid) })
	}
	if _, err := local.Attach(t.Context(), "doomed", dir); !errors.Is(err, cluster.ErrNotRunning) || clustertest.Hint(err) == "" {
		t.Errorf("attach to a killed supervisor: got %v, want ErrNotRunning with a hint", err)
	}
	list, err := local.List(dir)
	if err != nil || len(list) != 1 || list[0].Supervisor != 0 {
		t.Errorf("list: got %+v, %v, want one cluster without supervisor", list, err)
	}
	if err := local.Down(t.Context(), "doomed", dir); err != nil {
		t.Fatal(err)
	}
	assertEmpty(t, dir)
	if err := local.Down(t.Context(), "doomed", dir); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("second down: got %v, want ErrNotRunning", err)
	}
	t.Logf("%d children died with their supervisor", len(children))
}

// recorded returns the pids in a cluster's state file.
func recorded(t *testing.T, dir string) []int {
	t.Helper()
	encoded, err := os.ReadFile(filepath.Join(dir, "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Members []struct{ Process struct{ PID int } }
	}
	if err := json.Unmarshal(encoded, &state); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, m := range state.Members {
		if m.Process.PID != 0 {
			pids = append(pids, m.Process.PID)
		}
	}
	return pids
}

// runs is false for a zombie: init or a container's first process may be slow to collect it.
func runs(pid int) bool {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return false
	}
	status, err := p.Status()
	return err == nil && len(status) > 0 && status[0] != process.Zombie
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left over: %s", e.Name())
	}
}

// A start that is interrupted at any moment leaves no process, no port and no file.
func TestInterruptedStartLeavesNothing(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	before := goleak.IgnoreCurrent()
	defer func() { goleak.VerifyNone(t, before) }()
	rounds := testkit.Count(t, "interrupted starts", 4, 25)
	random := rand.New(rand.NewPCG(testkit.Seed(t), 1))
	cancelled := 0
	for range rounds {
		after := time.Duration(random.Int64N(int64(6 * time.Second)))
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(after, cancel)
		c, err := local.Start(ctx, local.Options{Name: "interrupted", Dir: dir, Topology: small(t)})
		timer.Stop()
		cancel()
		if err == nil { // it was quicker
			err = c.Close(context.Background())
			if err != nil {
				t.Error(err)
			}
		} else {
			cancelled++
			if !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted after %s: got %v, want context.Canceled", after, err)
			}
		}
		assertEmpty(t, dir)
		assertNoChildren(t, dir)
	}
	t.Logf("%d starts, %d of them interrupted", rounds, cancelled)
}

// assertNoChildren looks for processes of this one that work in a directory.
func assertNoChildren(t *testing.T, dir string) {
	t.Helper()
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	children, err := self.Children()
	if err != nil && !errors.Is(err, process.ErrorNoChildren) {
		t.Fatal(err)
	}
	for _, child := range children {
		if args, _ := child.CmdlineSlice(); containsPath(args, dir) {
			t.Errorf("left over: process %d %q", child.Pid, args)
		}
	}
}

func containsPath(args []string, dir string) bool {
	for _, a := range args {
		if rel, err := filepath.Rel(dir, a); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// Two clusters of the same layout run side by side; closing one leaves the other alone.
func TestSideBySide(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	t.Parallel()
	dir := t.TempDir()
	names := []string{"left", "right"}
	clusters := make([]*local.Cluster, len(names))
	errs := make([]error, len(names))
	var starting sync.WaitGroup
	for i, name := range names {
		starting.Go(func() {
			clusters[i], errs[i] = local.Start(t.Context(), local.Options{Name: name, Dir: dir, Topology: small(t)})
		})
	}
	starting.Wait()
	t.Cleanup(func() {
		for _, c := range clusters {
			if c != nil {
				if err := c.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
		assertEmpty(t, dir)
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%v%s", err, clustertest.Hint(err))
	}
	if list, err := local.List(dir); err != nil || len(list) != 2 || !list[0].Ready || list[0].Name != "left" {
		t.Errorf("list: got %+v, %v, want left and right, ready", list, err)
	}
	if err := local.Down(t.Context(), "left", dir); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, "the supervisor hears that its cluster went down", func() bool {
		select {
		case <-clusters[0].Done():
			return true
		default:
			return false
		}
	})
	if _, err := clusters[0].Status(t.Context()); !errors.Is(err, cluster.ErrClosed) {
		t.Errorf("status of a closed cluster: got %v, want ErrClosed", err)
	}
	status, err := clusters[1].Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Members {
		if m.State != cluster.StateUp {
			t.Errorf("%s of the other cluster: got %s, want up", m.Name, m.State)
		}
		if conn, err := net.DialTimeout("tcp", m.Host, time.Second); err != nil {
			t.Errorf("%s of the other cluster: %v", m.Name, err)
		} else {
			_ = conn.Close()
		}
	}
}

// A detached supervisor outlives the call, reports its progress, and goes down without a trace.
func TestDetached(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	t.Parallel()
	dir := t.TempDir()
	events := 0
	o := local.Options{Name: "detached", Dir: dir, Topology: small(t), Progress: func(local.Event) { events++ }}
	r, err := local.StartDetached(t.Context(), o)
	if err != nil {
		t.Fatalf("%v%s", err, clustertest.Hint(err))
	}
	t.Cleanup(func() { _ = r.Close(context.Background()) })
	if events == 0 {
		t.Error("got no progress")
	}
	if _, err := local.StartDetached(t.Context(), o); !errors.Is(err, cluster.ErrRunning) {
		t.Errorf("second start: got %v, want ErrRunning", err)
	}
	status, err := r.Status(t.Context())
	if err != nil || !status.PrimariesAtHome() {
		t.Errorf("status: got %+v, %v, want all primaries at home", status, err)
	}
	pids := recorded(t, r.Dir())
	if err := r.Kill(t.Context(), "s1/HERE"); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), "s1/HERE"); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		testkit.Eventually(t, testkit.Patience, fmt.Sprintf("process %d ends", pid), func() bool { return !runs(pid) })
	}
	testkit.Eventually(t, testkit.Patience, "the supervisor's last file goes", func() bool {
		entries, _ := os.ReadDir(dir)
		return len(entries) == 0
	})
	t.Logf("%d events, %d processes", events, len(pids))
}

// A detached start that is interrupted leaves nothing, and one that fails says why.
func TestDetachedFailure(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := local.StartDetached(ctx, local.Options{Name: "d", Dir: dir, Topology: small(t)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("interrupted: got %v, want context.DeadlineExceeded", err)
	}
	assertEmpty(t, dir)
}
