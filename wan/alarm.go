package wan

import (
	"slices"
	"sync"
	"time"
)

// A sleeper waits for one moment at a time, more exactly than the runtime's timers where those are coarse.
type sleeper interface {
	// arm sets the moment to d from now, in place of the one before; d <= 0 means at once.
	arm(d time.Duration)
	// wait blocks until an armed moment has come, and returns false once the sleeper is closed.
	wait() bool
	close()
}

// An alarm wakes many waiters, each at its time, with one sleeper. Run it in a goroutine.
type alarm struct {
	sleeper sleeper

	mu    sync.Mutex
	queue []appointment // guarded by mu: the earliest first
}

type appointment struct {
	at   time.Time
	wake chan<- struct{}
}

// at sends to wake at the given time, or drops the signal when wake's buffer is full: a waiter that has a signal
// waiting is awake already. Waiters must bear a wake-up they no longer want.
func (a *alarm) at(t time.Time, wake chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, _ := slices.BinarySearchFunc(a.queue, t, func(next appointment, t time.Time) int { return next.at.Compare(t) })
	a.queue = slices.Insert(a.queue, i, appointment{t, wake})
	if i == 0 {
		a.sleeper.arm(time.Until(t))
	}
}

// run wakes waiters until the sleeper is closed.
func (a *alarm) run() {
	for a.sleeper.wait() {
		a.ring()
	}
}

func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := 0
	for ; due < len(a.queue) && time.Until(a.queue[due].at) <= 0; due++ {
		signal(a.queue[due].wake)
	}
	a.queue = slices.Delete(a.queue, 0, due) // which lets go of the channels
	if len(a.queue) > 0 {
		a.sleeper.arm(time.Until(a.queue[0].at))
	}
}
