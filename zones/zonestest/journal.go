package zonestest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// A Journal is a apply.Journal in memory.
type Journal struct {
	mu   sync.Mutex
	runs []zones.Run // guarded by mu; the oldest first
	done []string    // guarded by mu; the runs that were done, in that order
}

func (j *Journal) runLocked(id string) *zones.Run {
	i := slices.IndexFunc(j.runs, func(r zones.Run) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &j.runs[i]
}

func copyRun(r zones.Run) zones.Run {
	r.Steps, r.Holds = slices.Clone(r.Steps), slices.Clone(r.Holds)
	return r
}

// Begin records a run, or takes over one that was interrupted.
func (j *Journal) Begin(ctx context.Context, run zones.Run, replaces []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if had := j.runLocked(run.ID); had != nil {
		*had = copyRun(run)
	} else {
		j.runs = append(j.runs, copyRun(run))
	}
	for _, id := range replaces {
		if r := j.runLocked(id); r != nil {
			r.Status, r.Token = zones.RunReplaced, run.Token
		}
	}
	return nil
}

// Mark records where a run stands.
func (j *Journal) Mark(ctx context.Context, run zones.Run) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	had := j.runLocked(run.ID)
	if had == nil || had.Token != run.Token {
		return apply.ErrLeaseLost
	}
	had.Status, had.Error, had.Holds = run.Status, run.Error, slices.Clone(run.Holds)
	had.Steps = slices.Clone(run.Steps)
	if run.Status == zones.RunDone {
		j.done = append(j.done, run.ID)
	}
	return nil
}

// Unfinished returns the runs that were begun and not ended, the newest first.
func (j *Journal) Unfinished(ctx context.Context) ([]zones.Run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var open []zones.Run
	for _, r := range slices.Backward(j.runs) {
		if r.Unfinished() {
			open = append(open, copyRun(r))
		}
	}
	return open, ctx.Err()
}

// LastDone returns the last run that was done.
func (j *Journal) LastDone(ctx context.Context) (*zones.Run, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.done) == 0 {
		return nil, ctx.Err()
	}
	run := copyRun(*j.runLocked(j.done[len(j.done)-1]))
	return &run, ctx.Err()
}

// A Locker is a apply.Locker in memory, without an expiry: Expire stands for it.
type Locker struct {
	mu    sync.Mutex
	taken int    // guarded by mu
	lease *lease // guarded by mu; nil while it is free
}

// Lock takes the lease.
func (l *Locker) Lock(ctx context.Context) (context.Context, apply.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease != nil {
		return nil, nil, &apply.LockedError{Holder: l.lease.holder, Now: l.lease.holder.Since}
	}
	l.taken++
	since := time.Unix(int64(l.taken), 0)
	holder := apply.Holder{Token: fmt.Sprintf("%06d", l.taken), Owner: "test", Host: "here", PID: 1, Since: since, Expires: since.Add(time.Minute)}
	leased, lose := context.WithCancelCause(ctx)
	l.lease = &lease{l, holder, lose}
	return leased, l.lease, nil
}

// Expire takes the lease away from whoever has it.
func (l *Locker) Expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease != nil {
		l.lease.lose(apply.ErrLeaseLost)
	}
	l.lease = nil
}

type lease struct {
	locker *Locker
	holder apply.Holder
	lose   context.CancelCauseFunc // ends the holder's work
}

func (l *lease) Holder() apply.Holder { return l.holder }

func (l *lease) Check(ctx context.Context) error {
	l.locker.mu.Lock()
	defer l.locker.mu.Unlock()
	if l.locker.lease != l {
		return apply.ErrLeaseLost
	}
	return ctx.Err()
}

func (l *lease) Release(ctx context.Context) error {
	if err := l.Check(ctx); err != nil {
		return err
	}
	l.locker.mu.Lock()
	defer l.locker.mu.Unlock()
	l.lose(context.Canceled)
	l.locker.lease = nil
	return nil
}
