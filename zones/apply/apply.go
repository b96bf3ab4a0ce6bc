package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/geoshard/geoshard/zones"
)

// A Performer makes one change of a cluster. It is idempotent, and returns only when the cluster's catalogue shows the change. It is safe for concurrent use:
// Apply makes changes that do not depend on each other at the same time.
type Performer interface {
	Perform(ctx context.Context, c zones.Change) error
}

// A Locker keeps two applies to one cluster apart.
type Locker interface {
	// Lock takes the lease, or returns a *LockedError. The context that it returns ends, with ErrLeaseLost as its cause, before the lease
	// can belong to somebody else; all work is done under it.
	Lock(ctx context.Context) (context.Context, Lease, error)
}

// A Lease is held until it is released, or lost: a process that is killed or cut off loses it after a while.
type Lease interface {
	Holder() Holder
	// Check asks the cluster whether the lease is still ours, and renews it. It returns ErrLeaseLost if it is not.
	Check(ctx context.Context) error
	// Release gives the lease back. Somebody else's is left alone.
	Release(ctx context.Context) error
}

// A Holder is who has the lease.
type Holder struct {
	// Token is different for each time that the lease is taken.
	Token string
	// Owner is the user, Host and PID the process.
	Owner, Host string
	PID         int
	// Since and Expires are the cluster's times.
	Since, Expires time.Time
}

// String names the holder: "ann on build-7, process 4242".
func (h Holder) String() string { return fmt.Sprintf("%s on %s, process %d", h.Owner, h.Host, h.PID) }

// Deps are what an apply acts through. All are required; package zones/catalog has them for a real cluster.
type Deps struct {
	Reader    zones.Reader
	Performer Performer
	Journal   Journal
	Locker    Locker
}

// Options say what an apply may do. The zero value applies nothing that moves data or drops a range.
type Options struct {
	// AutoApprove applies without asking.
	AutoApprove bool
	// Approve is asked once, with the steps that move data or drop a range; nil refuses them.
	Approve func(ctx context.Context, steps []zones.Step) (bool, error)
	// Force allows a plan that replaces more than 30 % of 10 or more ranges.
	Force bool
	// Listen gets what happens; nil for nobody. It must not block.
	Listen func(Event)
}

// A Result is what an apply did.
type Result struct {
	// Run identifies it in the journal; empty when there was nothing to do.
	Run string `json:"run,omitempty"`
	// Done steps were made now, Before by an earlier apply that was interrupted.
	Done   int `json:"done"`
	Before int `json:"before,omitempty"`
	// Released are collections that an interrupted apply had left without balancing.
	Released []string `json:"released,omitempty"`
}

// cleanUpWithin bounds what is done after a failure, when the caller's context may have ended.
const cleanUpWithin = 15 * time.Second

// Apply makes the steps of a plan under the lease, and writes the journal before the first one and between the groups of those that it makes at the same
// time: steps that do not depend on each other (see inOrder). Each comes after all that it depends on.
//
// It refuses a cluster whose state is not the one that was planned for (ErrStateChanged), unless the journal has an unfinished run of the same
// plan and the state is what that run left: then it goes on from there. Other errors to branch on are ErrLocked, ErrLeaseLost, ErrNotApproved and
// ErrMassChange; a step that fails is a *StepError. It never starts or stops the balancer, and releases each collection that it held, except one
// whose ranges are half replaced: with balancing on, documents would leave their datacenter.
func Apply(ctx context.Context, plan *zones.Plan, deps Deps, o Options) (_ *Result, err error) {
	if err := permit(ctx, plan, o); err != nil {
		return nil, err
	}
	leased, lease, err := deps.Locker.Lock(ctx)
	if err != nil {
		return nil, err
	}
	a := &applying{Deps: deps, lease: lease, plan: plan, order: inOrder(plan.Steps), listen: o.Listen}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
		defer cancel()
		// The work is done or has failed for a reason of its own: a lease that cannot be given back expires.
		if released := lease.Release(ctx); err == nil && released != nil && !errors.Is(released, ErrLeaseLost) {
			err = fmt.Errorf("apply: the steps are done, but the lease was not given back and has to expire: %w", released)
		}
	}()
	if a.listen == nil {
		a.listen = func(Event) {}
	}
	result, err := a.apply(leased)
	if err != nil && errors.Is(context.Cause(leased), ErrLeaseLost) && !errors.Is(err, ErrLeaseLost) {
		err = fmt.Errorf("%w: %w", ErrLeaseLost, err)
	}
	return result, err
}

// applying is one apply under its lease.
type applying struct {
	Deps
	lease  Lease
	plan   *zones.Plan
	order  []orderedStep // the plan's steps, as they are made; run.Steps has the same order
	run    zones.Run
	listen func(Event)
	result Result
}

func (a *applying) apply(ctx context.Context) (*Result, error) {
	found, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(a.plan, a.order, found)
	if err != nil || chosen.nothing {
		return &a.result, err
	}
	a.run = chosen.run
	holder := a.lease.Holder()
	a.run.Owner, a.run.Token = holder.String(), holder.Token
	if !chosen.resumed {
		a.run.ID, a.run.Started = holder.Token, holder.Since
	}
	if err := a.Journal.Begin(ctx, a.run, chosen.replaces); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	a.result.Run, a.result.Before = a.run.ID, a.run.Done()
	a.listen(RunBegun{Run: a.run.ID, Done: a.result.Before, Total: len(a.plan.Steps)})
	if err := a.steps(ctx); err != nil {
		return nil, err
	}
	if err := a.finish(ctx); err != nil {
		return nil, err
	}
	return &a.result, a.verify(ctx)
}

// A scene is what an apply finds, and decides on.
type scene struct {
	state *zones.State
	// unfinished are the runs that were begun and not ended, the newest first; last is the last one that was done.
	unfinished []zones.Run
	last       *zones.Run
}

func (a *applying) look(ctx context.Context) (f scene, err error) {
	if f.state, err = a.Reader.Read(ctx, a.plan.Namespaces); err != nil {
		return f, fmt.Errorf("apply: read the state: %w", err)
	}
	if f.unfinished, err = a.Journal.Unfinished(ctx); err != nil {
		return f, fmt.Errorf("apply: %w", err)
	}
	if f.last, err = a.Journal.LastDone(ctx); err != nil {
		return f, fmt.Errorf("apply: %w", err)
	}
	return f, nil
}

// steps makes the steps that are left, group after group. The journal has each one as started before it is made; that it is done is written together with
// the start of the next group.
//
// No step waits for a collection to be sharded: where the server refuses that, all others are made before Apply fails.
func (a *applying) steps(ctx context.Context) error {
	var failures []error
	firstFailed, stop := 0, false
	for first, end := a.run.Done(), 0; first < len(a.order) && !stop; first = end {
		end = first + group(a.order[first:])
		for i := first; i < end; i++ {
			a.run.Steps[i].Status, a.run.Steps[i].Error = zones.StepStarted, ""
			if hold, ok := a.order[i].Change.(zones.HoldBalancing); ok && a.releases(hold.Collection) && !slices.Contains(a.run.Holds, hold.Collection) {
				a.run.Holds = append(a.run.Holds, hold.Collection)
			}
			a.listen(a.at(i))
		}
		for n, err := range a.together(ctx, first, end) {
			i := first + n
			a.end(i, err)
			if err == nil {
				continue
			}
			if len(failures) == 0 {
				firstFailed = i
			}
			failures = append(failures, err)
			_, sharding := a.order[i].Change.(zones.ShardCollection)
			stop = stop || !sharding || ctx.Err() != nil || errors.Is(err, ErrLeaseLost)
		}
	}
	if len(failures) > 0 {
		return a.fail(ctx, firstFailed, errors.Join(failures...))
	}
	return nil
}

// end notes what became of a step.
func (a *applying) end(i int, err error) {
	if err != nil {
		a.run.Steps[i].Status, a.run.Steps[i].Error = zones.StepFailed, err.Error()
		a.listen(StepFailed{a.at(i), err})
		return
	}
	a.run.Steps[i].Status = zones.StepDone
	if release, ok := a.order[i].Change.(zones.ReleaseBalancing); ok {
		a.released(release.Collection)
	}
	a.result.Done++
	a.listen(StepDone(a.at(i)))
}

// at is the beginning of a step, as listeners are told.
func (a *applying) at(i int) StepBegun { return StepBegun{i, len(a.order), a.order[i].Step} }

// together makes some steps at the same time and returns the error of each. One that fails does not end the others: what is under way would be in effect or not.
func (a *applying) together(ctx context.Context, first, end int) []error {
	failed := make([]error, end-first)
	err := a.Journal.Mark(ctx, a.run)
	if err == nil {
		// Last of all, so that nothing lies between it and the changes.
		err = a.lease.Check(ctx)
	}
	if err != nil {
		return slices.Repeat([]error{err}, len(failed))
	}
	var all sync.WaitGroup
	for i := range failed {
		all.Go(func() { failed[i] = a.Performer.Perform(ctx, a.order[first+i].Change) })
	}
	all.Wait()
	return failed
}

// releases reports whether the plan ends the hold itself: it does for collections that were balanced before.
func (a *applying) releases(collection string) bool {
	return slices.ContainsFunc(a.plan.Steps, func(s zones.Step) bool { return s.Change == zones.ReleaseBalancing{Collection: collection} })
}

// released keeps account of what the balancer leaves alone for the run.
func (a *applying) released(collection string) {
	a.run.Holds = slices.DeleteFunc(slices.Clone(a.run.Holds), func(c string) bool { return c == collection })
}

// fail records that a step failed, the first one of its group that did, and lets the balancer work again where that is safe.
func (a *applying) fail(ctx context.Context, i int, cause error) error {
	failed := &StepError{Done: i, Made: a.result.Before + a.result.Done, Total: len(a.order), Step: a.order[i].Change.String(), Err: cause}
	if errors.Is(cause, ErrLeaseLost) || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return failed // the cluster is somebody else's now, and so are the holds
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpWithin)
	defer cancel()
	kept := a.release(ctx)
	failed.Held = a.run.Holds
	a.run.Status, a.run.Error = zones.RunFailed, cause.Error()
	failed.Err = errors.Join(cause, kept, a.Journal.Mark(ctx, a.run))
	return failed
}

// release ends the holds of this run, and of interrupted ones before it, but those of collections whose ranges are half replaced.
func (a *applying) release(ctx context.Context) error {
	var problem error
	for _, collection := range a.run.Holds {
		if halfReplaced(a.order, &a.run, collection) {
			continue
		}
		if err := a.lease.Check(ctx); err != nil {
			return errors.Join(problem, err)
		}
		// What was dropped since has nothing to release.
		if err := a.Performer.Perform(ctx, zones.ReleaseBalancing{Collection: collection}); err != nil && !errors.Is(err, ErrNotSharded) {
			problem = errors.Join(problem, fmt.Errorf("turn balancing of %s on again: %w", collection, err))
			continue
		}
		a.released(collection)
		a.result.Released = append(a.result.Released, collection)
		a.listen(BalancingReleased{Collection: collection})
	}
	return problem
}

// finish releases what interrupted runs had held and records that everything is in effect.
func (a *applying) finish(ctx context.Context) error {
	if err := a.release(ctx); err != nil {
		return fmt.Errorf("apply: all steps are done, but %w", err)
	}
	a.run.Status, a.run.Error = zones.RunDone, ""
	if err := a.Journal.Mark(ctx, a.run); err != nil {
		return fmt.Errorf("apply: all steps are done, but not recorded; run apply again: %w", err)
	}
	return nil
}

// verify reads back what the steps were about. Each step was read back when it was made: a difference now is somebody else's work.
func (a *applying) verify(ctx context.Context) error {
	state, err := a.Reader.Read(ctx, a.plan.Namespaces)
	if err != nil {
		return fmt.Errorf("apply: all steps are done, but read the state back: %w", err)
	}
	about := map[zones.Subject]bool{}
	for _, step := range a.plan.Steps {
		if zones.MovesData(step.Change) {
			about[zones.SubjectOf(step.Change)] = true
		}
	}
	if differences := differences(factsAfter(a.run.Before, a.plan), state.Layout().Facts(), about); len(differences) > 0 {
		return stateChanged("while the plan was applied", differences)
	}
	return nil
}
