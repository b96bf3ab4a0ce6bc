package local

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/geoshard/geoshard/hint"
)

// sleeper starts a process that nobody would miss.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Fatal("this test needs sleep(1)")
	}
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// What a killed supervisor left running ends, but a process that has got the pid of one that ended long ago is spared.
func TestLeftoversSpareReusedPids(t *testing.T) {
	left, stranger := sleeper(t), sleeper(t)
	reused := identify(stranger.Process.Pid)
	reused.Started -= int64(time.Hour / time.Millisecond)
	dir := filepath.Join(t.TempDir(), "gone")
	marked(t, dir)
	s := state{Name: "gone", Members: book{
		{Name: "a/A", Process: identify(left.Process.Pid)}, {Name: "a/B", Process: reused}, {Name: "a/C"},
	}}
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := removeLeftovers(dir); err != nil {
		t.Fatal(err)
	}
	if err := left.Wait(); err == nil {
		t.Error("the leftover ended by itself")
	}
	if !identify(stranger.Process.Pid).alive() {
		t.Error("a process with a reused pid was killed")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("directory: got %v, want not exist", err)
	}
}

// Whoever installs a program anew while it runs replaces its executable; the process is still the one that it was.
func TestIdentityOutlivesItsExecutable(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "supervisor")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "600")
	cmd.Args[0] = "sleep" // where one program is many, its name decides which
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	id := identify(cmd.Process.Pid)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if !id.alive() {
		t.Error("it counts as dead since its executable is gone")
	}
	if err := id.kill(); err != nil {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// Nobody has waited for it yet, so it is a zombie as soon as it has ended.
	if err := poll(deadline, "wait for its end", func(*error) (bool, error) { return !id.alive(), nil }); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
}

// Down has an end also when somebody holds the name who is not the supervisor.
func TestDownIsBounded(t *testing.T) {
	dir := t.TempDir()
	marked(t, filepath.Join(dir, "held"))
	lock, err := lockName(dir, "held")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lock.release(); err != nil {
			t.Error(err)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := Down(t.Context(), "held", dir)
		if hint.Of(err) == "" {
			t.Errorf("got %v, want an error with a hint", err)
		}
		if took := time.Since(began); took > answerToDown {
			t.Errorf("took %s, want at most %s", took, answerToDown)
		}
		t.Logf("%v (%s)", err, hint.Of(err))
	})
}

// Only one may hold a name, and nothing is left when it lets go.
func TestNameLock(t *testing.T) {
	dir := t.TempDir()
	first, err := lockName(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockName(dir, "x"); err == nil {
		t.Fatal("two hold one name")
	}
	other, err := lockName(dir, "y")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*nameLock{first, other} {
		if err := l.release(); err != nil {
			t.Error(err)
		}
	}
	again, err := lockName(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.release(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("got %v, %v, want an empty directory", entries, err)
	}
}

func TestTakenPortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := takePort()
		if err != nil {
			t.Fatal(err)
		}
		defer releasePort(port)
		if seen[port] {
			t.Fatalf("port %d was given twice", port)
		}
		seen[port] = true
	}
	t.Logf("%d ports", len(seen))
}
