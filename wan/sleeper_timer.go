package wan

import "time"

// A timerSleeper is a sleeper on the runtime's timers. It is exact to tens of microseconds on darwin (kevent) and to about half
// a millisecond on Windows (high-resolution waitable timers), and it follows testing/synctest's virtual time everywhere.
type timerSleeper struct {
	timer  *time.Timer
	closed chan struct{}
}

func newTimerSleeper() sleeper {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &timerSleeper{timer: t, closed: make(chan struct{})}
}

func (s *timerSleeper) arm(d time.Duration) { s.timer.Reset(d) }

func (s *timerSleeper) wait() bool {
	select {
	case <-s.timer.C:
		return true
	case <-s.closed:
		return false
	}
}

func (s *timerSleeper) close() {
	s.timer.Stop()
	close(s.closed)
}
