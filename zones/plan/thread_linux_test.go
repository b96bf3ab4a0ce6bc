package plan

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

const ofThread = 1 // RUSAGE_THREAD of getrusage(2), which package syscall does not name

// processorTime is how long a processor worked on do: others on the machine do not count.
func processorTime(t *testing.T, do func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	so := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(ofThread, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	began := so()
	do()
	return so() - began
}
