package local

import (
	"os/exec"
	"runtime"

	"github.com/geoshard/geoshard/cluster"
)

// A forker starts children, all from one OS thread. Linux ties "die with the parent" (Pdeathsig) to the thread that
// forked, and Go ends threads as it likes, so the thread is held until the last child is gone.
type forker struct {
	calls chan func()
	quit  chan struct{}
	done  chan struct{}
}

func newForker() *forker {
	f := &forker{calls: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case call := <-f.calls:
				call()
			case <-f.quit:
				return
			}
		}
	}()
	return f
}

// start starts the command with the attributes that tie it to this process.
func (f *forker) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttributes()
	result := make(chan error, 1)
	select {
	case f.calls <- func() { result <- startChild(cmd) }:
		return <-result
	case <-f.done:
		return cluster.ErrClosed
	}
}

// close ends the forker's thread. Every child must be gone, or Linux kills it now.
func (f *forker) close() {
	close(f.quit)
	<-f.done
}
