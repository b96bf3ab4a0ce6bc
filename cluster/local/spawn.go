package local

import (
	"os/exec"
	"runtime"
)

// A forker starts children, all from one OS thread. Linux ties "die with the parent" (Pdeathsig) to the thread that
// forked, and Go ends threads as it likes, so the thread is held until the last child is gone.
type forker struct {
	calls chan func()
	done  chan struct{}
}

func newForker() *forker {
	f := &forker{calls: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for call := range f.calls {
			call()
		}
	}()
	return f
}

// start starts the command with the attributes that tie it to this process.
func (f *forker) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttributes()
	result := make(chan error, 1)
	f.calls <- func() { result <- startChild(cmd) }
	return <-result
}

// close ends the forker's thread; nothing may start any more. Every child must be gone, or Linux kills it now.
func (f *forker) close() {
	close(f.calls)
	<-f.done
}
