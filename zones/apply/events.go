package apply

import (
	"time"

	"github.com/geoshard/geoshard/zones"
)

// An Event is something that an apply or a wait tells while it goes on. Listeners switch over its types; they must not block.
type Event interface{ event() }

// RunBegun: the lease is held, the state is the one that was planned for, and the journal has the run.
type RunBegun struct {
	// Run identifies it in the journal.
	Run string
	// Done steps of Total were made by an earlier, interrupted apply.
	Done, Total int
}

// StepBegun and StepDone stand around each step. Index counts from 0.
type StepBegun struct {
	Index, Total int
	Step         zones.Step
}

// StepDone follows StepBegun when the step is in effect and in the journal.
type StepDone StepBegun

// StepFailed follows StepBegun instead of StepDone.
type StepFailed struct {
	StepBegun
	Err error
}

// BalancingReleased: the balancer may work on a collection again that an interrupted or failed apply had held.
type BalancingReleased struct{ Collection string }

// WaitProgress is one look of a wait.
type WaitProgress struct {
	Goal WaitGoal
	// Total is the bytes that were outside their zone when the wait began.
	Total int64
	Left  Remaining
	// ETA is how long the rest takes at the rate so far; 0 while it is unknown.
	ETA time.Duration
}

func (RunBegun) event()          {}
func (StepBegun) event()         {}
func (StepDone) event()          {}
func (BalancingReleased) event() {}
func (WaitProgress) event()      {}
