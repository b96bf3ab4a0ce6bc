package demo

import (
	"context"
	"sync"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A writer is a client that adds one thing after the other to a cart.
type writer struct {
	from    topology.DatacenterID
	basket  *basket
	profile string
}

// A written is one write of a writer, as its client saw it.
type written struct {
	client.Answer
	began    time.Time
	refusals []string
}

// A load is writers at work.
type load struct {
	play *play
	// working ends when no write is to be begun any more, life when also those under way are to end.
	working, life context.Context
	stop, cancel  context.CancelFunc
	done          sync.WaitGroup

	mu   sync.Mutex
	all  []written // guarded by mu
	errs []error   // guarded by mu
}

const (
	// pace is how long a writer waits between two writes.
	pace = 80 * time.Millisecond
	// mostWrites is how many a writer does: a cart remembers cart.MaxKeys requests, and takes no more then.
	mostWrites = cart.MaxKeys - 50
)

// work lets writers write until they are told to end.
func (p *play) work(ctx context.Context, writers []writer) *load {
	l := &load{play: p}
	l.life, l.cancel = context.WithCancel(ctx)
	l.working, l.stop = context.WithCancel(l.life)
	l.also(writers)
	return l
}

// also lets more writers write.
func (l *load) also(writers []writer) {
	for _, w := range writers {
		l.done.Go(func() {
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for n := 0; n < mostWrites && l.working.Err() == nil; n++ {
				l.note(l.play.insistent(l.life, w)) // a write that was begun is ended
				select {
				case <-l.working.Done():
				case <-tick.C:
				}
			}
		})
	}
}

// abandon ends the writers, whatever they are at, and waits for them.
func (l *load) abandon() {
	l.cancel()
	l.done.Wait()
}

func (p *play) insistent(ctx context.Context, w writer) (written, error) {
	one := written{began: time.Now()}
	var err error
	one.Answer, one.refusals, err = p.insist(ctx, w.basket, w.from, "notebook", w.profile)
	return one, err
}

func (l *load) note(one written, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.all = append(l.all, one)
}

// end lets every writer end the write that he is at.
func (l *load) end() ([]written, error) {
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		return l.all, l.errs[0]
	}
	return l.all, nil
}

// longest is the write for which a client waited longest, and refused what all of them were told before they were acknowledged.
func longest(all []written) (most written, refused []string) {
	for _, one := range all {
		refused = append(refused, one.refusals...)
		if one.Took > most.Took {
			most = one
		}
	}
	return most, refused
}
