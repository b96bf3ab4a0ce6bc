//go:build !linux

package devmongos

import "os/exec"

// EndWithParent does nothing where the system has no such signal.
func EndWithParent(*exec.Cmd) {}
