//go:build unix && !linux

package local

import "syscall"

// childAttributes: an own process group keeps the terminal's Ctrl-C away from the children. These systems have no
// Pdeathsig; what a killed supervisor leaves running is found through the state file.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
