package demo

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/topology"
)

// A writer is a client that adds one thing after the other to a cart.
type writer struct {
	from, home topology.DatacenterID // of the client, and of the cart
	basket     *basket
	profile    string
}

// A written is one write of a writer, as its client saw it.
type written struct {
	client.Answer
	began time.Time
	// refusals are what the answers said before the write was acknowledged.
	refusals []string
}

// A load is writers at work.
type load struct {
	play *play
	// working ends when no write is to be begun any more, life when also those under way are to end.
	working, life context.Context
	stop, cancel  context.CancelFunc
	done          sync.WaitGroup

	mu  sync.Mutex
	all []written // guarded by mu
	err error     // the first; guarded by mu
}

const (
	// writeEvery is how long a writer waits between two writes.
	writeEvery = 80 * time.Millisecond
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
			n := 0
			pace.Every(l.working, writeEvery, func() {
				if n++; n <= mostWrites {
					l.write(w)
				}
			})
		})
	}
}

// abandon ends the writers, whatever they are at, and waits for them.
func (l *load) abandon() {
	l.cancel()
	l.done.Wait()
}

// write does one write to its end.
func (l *load) write(w writer) {
	one, err := l.play.insist(l.life, w)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.all = append(l.all, one)
	}
	l.err = cmp.Or(l.err, err)
}

// An outcome is what became of writes.
type outcome struct {
	answers []client.Answer
	longest client.Answer // to the write for which a client waited longest
	refused []string      // what all of them were told before they were acknowledged
}

// end lets every writer end the write that he is at. The outcome is that of the writes that were not acknowledged yet at a time.
func (l *load) end(since time.Time) (o outcome, err error) {
	l.stop()
	l.done.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if one.began.Add(time.Duration(one.Took)).Before(since) {
			continue
		}
		o.answers = append(o.answers, one.Answer)
		o.refused = append(o.refused, one.refusals...)
		if one.Took > o.longest.Took {
			o.longest = one.Answer
		}
	}
	return o, l.err
}

// ended ends the writers to the carts that are hit, and those to others.
func ended(hit, others *load, since time.Time) (of, bystanders outcome, err error) {
	if of, err = hit.end(since); err == nil {
		bystanders, err = others.end(since)
	}
	return of, bystanders, err
}
