package devmongos

import (
	"os/exec"
	"syscall"
)

// EndWithParent keeps servers from outliving a test run that was killed.
func EndWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
