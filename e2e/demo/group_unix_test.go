//go:build unix

package demo_test

import (
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/internal/testkit"
)

// ownGroup gives the program a process group, so that it can be interrupted as a terminal does.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// within is the time in which the moments are: the start and the first steps. In a soak it is longer than most of a story, so that the last steps are met as well.
const within, withinSoak = 30 * time.Second, 85 * time.Second

// Ctrl-C at any moment ends everything, and nothing is left: no process, no port, no file. The interrupt goes to the whole process group, as that of a terminal does.
func TestAnInterruptLeavesNothing(t *testing.T) {
	clustertest.Needs(t, "clusters of its own")
	t.Parallel()
	random := rand.New(rand.NewPCG(testkit.Seed(t), 1))
	moments, all := testkit.Count(t, "moments", 3, 20), within
	if testkit.Soak() {
		all = withinSoak
	}
	part := all / time.Duration(moments) // one in each part, so that few moments are no heap
	tooLate := 0
	for i := range moments {
		if !interrupted(t, time.Duration(i)*part+time.Duration(random.Int64N(int64(part)))) {
			tooLate++
		}
	}
	if tooLate > moments/4 {
		t.Errorf("%d of %d moments came after the story's end", tooLate, moments)
	}
}

// interrupted runs the program, interrupts it at a moment, and looks for what is left. It is false if the story had ended before.
func interrupted(t *testing.T, moment time.Duration) bool {
	t.Helper()
	cmd, s := start(t)
	testkit.Pause(t.Context(), moment) // a moment in time is what is asked for, not a state
	ports := s.ports()
	began := time.Now()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // it may have ended
	code := exitCode(t, cmd)
	t.Logf("after %s: exit code %d, %s later, %d ports had been taken; its last word: %s", moment.Round(time.Millisecond), code, time.Since(began).Round(time.Millisecond), len(ports), lastLine(s.stderr.String()))
	s.nothingLeft(t, ports)
	if code == 0 {
		return false
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && s.stdout.Len()+s.stderr.Len() == 0 {
		return true // it did not take interrupts itself yet, and had begun nothing
	}
	if code != 1 || !strings.Contains(s.stderr.String(), "geoshard: interrupted") {
		t.Errorf("exit code %d, want 1 and a word about the interrupt; it said:\n%s\n%s", code, s.stdout.String(), s.stderr.String())
	}
	return true
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
