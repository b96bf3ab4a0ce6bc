package mongobin

import "syscall"

// What Windows answers for a program of another machine (ERROR_BAD_EXE_FORMAT), for a full disk (ERROR_DISK_FULL), and its file ending.
const (
	wrongFormat = syscall.Errno(193)
	diskFull    = syscall.Errno(112)
	exeSuffix   = ".exe"
)
