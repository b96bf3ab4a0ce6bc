package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/geoshard/geoshard/cluster"
)

const addressInUseExit = 48

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func detachedAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// children is the job object that Windows closes with this process, which ends everything in it.
var children = sync.OnceValues(func() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("create job object: %w", err)
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err != nil {
		return 0, fmt.Errorf("set job object: %w", err)
	}
	return job, nil
})

func startChild(cmd *exec.Cmd) error {
	job, err := children()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	const access = windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE
	handle, err := windows.OpenProcess(access, false, uint32(cmd.Process.Pid))
	if err == nil {
		err = windows.AssignProcessToJobObject(job, handle)
		_ = windows.CloseHandle(handle)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("tie child to this process: %w", err)
	}
	return nil
}

// stopOrContinue cannot stop, so there is never one to continue.
func stopOrContinue(*os.Process, bool) error {
	return fmt.Errorf("pause on windows: %w", cluster.ErrUnsupported)
}

func addressInUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }

// brokenPipe is empty: Windows has no such signal.
var brokenPipe []os.Signal
