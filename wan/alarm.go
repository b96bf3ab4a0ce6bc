package wan

import (
	"container/heap"
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

// An alarm wakes many waiters, each at its time, with one sleeper. Create it with newAlarm and run it in a goroutine.
type alarm struct {
	sleeper sleeper

	mu    sync.Mutex
	queue appointments // guarded by mu
}

type appointment struct {
	at   time.Time
	wake chan<- struct{}
}

func newAlarm(s sleeper) *alarm { return &alarm{sleeper: s} }

// at sends to wake at the given time, or drops the signal when wake's buffer is full: a waiter that has a signal
// waiting is awake already. Waiters must bear a wake-up they no longer want.
func (a *alarm) at(t time.Time, wake chan<- struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := len(a.queue) == 0 || t.Before(a.queue[0].at)
	heap.Push(&a.queue, appointment{t, wake})
	if first {
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
	for len(a.queue) > 0 {
		left := time.Until(a.queue[0].at)
		if left > 0 {
			a.sleeper.arm(left)
			return
		}
		next := heap.Pop(&a.queue).(appointment)
		select {
		case next.wake <- struct{}{}:
		default:
		}
	}
}

// appointments is a heap, the earliest first.
type appointments []appointment

func (q appointments) Len() int           { return len(q) }
func (q appointments) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q appointments) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *appointments) Push(x any)        { *q = append(*q, x.(appointment)) }
func (q *appointments) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = appointment{} // lets go of the channel
	*q = old[:len(old)-1]
	return last
}
