package mongobin

import "syscall"

// What macOS answers for a program of another machine (EBADARCH, "bad CPU type") and for a full disk.
const (
	wrongFormat = syscall.Errno(86)
	diskFull    = syscall.ENOSPC
	exeSuffix   = ""
)
