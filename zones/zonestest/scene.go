package zonestest

import (
	"context"
	"errors"
	"sync"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// A Scene is a cluster with its journal and its lease, all models, in which applies go wrong where a test says.
type Scene struct {
	*Model
	Journal *Journal
	Locker  *Locker
}

// NewScene returns a scene with a cluster of that state, an empty journal and a free lease.
func NewScene(state zones.State) *Scene {
	return &Scene{Model: New(state), Journal: &Journal{}, Locker: &Locker{}}
}

// A Call is one call of an apply to what it acts through, at one of its two ends.
type Call struct {
	// Number counts the calls from 0.
	Number int
	// Name is the method, "Perform" for example.
	Name string
	// Change is what is performed, nil for other calls.
	Change zones.Change
	// Answered is false before the call has any effect, true when it has had it and the caller does not know.
	Answered bool
}

// A Fault is called at both ends of each call, never twice at the same time. The error that it returns is the call's answer.
type Fault func(Call) error

// Deps are the scene as an apply sees it, with faults; nil for none.
func (s *Scene) Deps(fault Fault) apply.Deps {
	if fault == nil {
		fault = func(Call) error { return nil }
	}
	f := &faulty{scene: s, fault: fault}
	return apply.Deps{Reader: f, Performer: f, Journal: f, Locker: f}
}

type faulty struct {
	scene *Scene
	fault Fault

	mu    sync.Mutex // held while fault is called
	calls int        // guarded by mu
}

func (f *faulty) call(name string, change zones.Change, do func() error) error {
	c, err := f.begin(name, change)
	if err != nil {
		return err
	}
	err = do()
	c.Answered = true
	f.mu.Lock()
	defer f.mu.Unlock()
	if wrong := f.fault(c); wrong != nil {
		return wrong
	}
	return err
}

func (f *faulty) begin(name string, change zones.Change) (Call, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Call{Number: f.calls, Name: name, Change: change}
	f.calls++
	return c, f.fault(c)
}

func (f *faulty) Read(ctx context.Context, namespaces []string) (state *zones.State, err error) {
	err = f.call("Read", nil, func() error { state, err = f.scene.Read(ctx, namespaces); return err })
	return state, err
}

func (f *faulty) Perform(ctx context.Context, c zones.Change) error {
	return f.call("Perform", c, func() error { return f.scene.Perform(ctx, c) })
}

func (f *faulty) Begin(ctx context.Context, run zones.Run, replaces []string) error {
	return f.call("Begin", nil, func() error { return f.scene.Journal.Begin(ctx, run, replaces) })
}

func (f *faulty) Mark(ctx context.Context, run zones.Run) error {
	return f.call("Mark", nil, func() error { return f.scene.Journal.Mark(ctx, run) })
}

func (f *faulty) Unfinished(ctx context.Context) (runs []zones.Run, err error) {
	err = f.call("Unfinished", nil, func() error { runs, err = f.scene.Journal.Unfinished(ctx); return err })
	return runs, err
}

func (f *faulty) LastDone(ctx context.Context) (run *zones.Run, err error) {
	err = f.call("LastDone", nil, func() error { run, err = f.scene.Journal.LastDone(ctx); return err })
	return run, err
}

func (f *faulty) Lock(ctx context.Context) (leased context.Context, lease apply.Lease, err error) {
	err = f.call("Lock", nil, func() error { leased, lease, err = f.scene.Locker.Lock(ctx); return err })
	return leased, &faultyLease{f: f, lease: lease}, err
}

type faultyLease struct {
	f     *faulty
	lease apply.Lease
}

func (l *faultyLease) Holder() apply.Holder { return l.lease.Holder() }

func (l *faultyLease) Check(ctx context.Context) error {
	return l.f.call("Check", nil, func() error { return l.lease.Check(ctx) })
}

func (l *faultyLease) Release(ctx context.Context) error {
	return l.f.call("Release", nil, func() error { return l.lease.Release(ctx) })
}

var errKilled = errors.New("killed")

// A Mortal is a test in which an apply dies: one of package testing's, or a check of rapid's.
type Mortal interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// ApplyUntil applies a plan and dies at the given end of the given call: nothing of the process has an effect any more. It reports whether it came so far.
func ApplyUntil(t Mortal, s *Scene, plan *zones.Plan, number int, answered bool) (killed bool) {
	t.Helper()
	deps := s.Deps(func(c Call) error {
		if killed = killed || c.Number == number && c.Answered == answered; killed {
			return errKilled
		}
		return nil
	})
	_, err := apply.Apply(t.Context(), plan, deps, apply.Options{AutoApprove: true, Force: true})
	switch {
	case killed:
		s.Locker.Expire()
	case err != nil:
		t.Fatalf("to be killed at call %d: %v", number, err)
	}
	return killed
}
