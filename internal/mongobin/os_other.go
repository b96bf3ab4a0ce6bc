//go:build !windows && !darwin

package mongobin

import "syscall"

// What the kernel answers for a program of another machine and for a full disk.
const (
	wrongFormat = syscall.ENOEXEC
	diskFull    = syscall.ENOSPC
	exeSuffix   = ""
)
