//go:build unix

package local

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// addressInUseExit is the exit code of a server that found its port taken (mongod's EXIT_NET_ERROR; our children use
// the same).
const addressInUseExit = 48

func stopOrContinue(p *os.Process, stop bool) error {
	if stop {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}

func startChild(cmd *exec.Cmd) error { return cmd.Start() }

func addressInUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// detachedAttributes give a detached supervisor a session of its own: no terminal, no signal of its starter's group.
func detachedAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// brokenPipe is what a write to a closed pipe raises on standard output.
var brokenPipe = []os.Signal{syscall.SIGPIPE}
