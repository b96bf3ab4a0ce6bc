package wan

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A timerfdSleeper waits on a timerfd through the runtime's poller. The runtime itself sleeps in epoll_wait, whose
// time-out counts whole milliseconds, so an idle process wakes up to 1 ms late; a timerfd wakes it to some 50 microseconds.
type timerfdSleeper struct{ file *os.File }

// newSleeper falls back on the runtime's timers where there is no timerfd to be had (out of descriptors, a sandbox).
func newSleeper() sleeper {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return newTimerSleeper()
	}
	return &timerfdSleeper{file: os.NewFile(uintptr(fd), "timerfd")}
}

func (s *timerfdSleeper) arm(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))} // 0 would disarm it
	raw, err := s.file.SyscallConn()
	if err != nil {
		return // closed
	}
	// The only error left is a closed descriptor, and then nobody waits.
	_ = raw.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &spec, nil) })
}

func (s *timerfdSleeper) wait() bool {
	var expirations [8]byte
	_, err := s.file.Read(expirations[:])
	return err == nil
}

func (s *timerfdSleeper) close() { _ = s.file.Close() }
