//go:build unix

package main

import (
	"os"
	"syscall"
)

// terminate asks a process to end at once, its workers too.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
