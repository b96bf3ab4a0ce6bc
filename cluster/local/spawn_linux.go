package local

import "syscall"

// childAttributes: an own process group keeps the terminal's Ctrl-C away from the children, so that the supervisor
// alone decides the order of stopping; Pdeathsig lets no child outlive the supervisor.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
