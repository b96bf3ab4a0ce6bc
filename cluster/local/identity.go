package local

import (
	"os"
	"slices"
	"time"

	psutil "github.com/shirou/gopsutil/v4/process"
)

// An identity says which process a pid meant, so that a reused pid is never taken for it. The path of its executable has no part in
// it: a program that is installed anew while it runs has another one from then on.
type identity struct {
	PID int `json:"pid"`
	// Started is the process's start in milliseconds since 1970, as the operating system says.
	Started int64 `json:"started"`
}

// startTolerance covers what a step of the machine's clock does to the start times that Linux derives from it.
const startTolerance = int64(time.Second / time.Millisecond)

// identify returns the identity of a running process; the zero value when there is none.
func identify(pid int) identity {
	_, id := observe(pid)
	return id
}

func observe(pid int) (*psutil.Process, identity) {
	p, err := psutil.NewProcess(int32(pid))
	if err != nil {
		return nil, identity{}
	}
	started, err := p.CreateTime()
	if err != nil {
		return nil, identity{}
	}
	return p, identity{PID: pid, Started: started}
}

// alive reports whether the very process still runs. A zombie does not: somebody has still to wait for it, that is all.
func (id identity) alive() bool {
	if id.PID <= 0 {
		return false
	}
	p, now := observe(id.PID)
	difference := now.Started - id.Started
	if p == nil || difference < -startTolerance || difference > startTolerance {
		return false
	}
	states, _ := p.Status() // an error: the system has no zombies to tell of
	return !slices.Contains(states, psutil.Zombie)
}

// kill ends the very process, if it still runs. The handle is taken before the check, so that the process cannot be
// exchanged between the two (on Linux a handle is a pidfd).
func (id identity) kill() error {
	if id.PID <= 0 {
		return nil
	}
	handle, err := os.FindProcess(id.PID)
	if err != nil {
		return nil // gone
	}
	defer func() { _ = handle.Release() }()
	if !id.alive() {
		return nil
	}
	return handle.Kill()
}
