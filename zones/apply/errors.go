package apply

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
)

// The errors of an apply that callers branch on, with errors.Is.
var (
	// ErrLocked means that another apply has the lease; it comes as a LockedError.
	ErrLocked = errors.New("another apply is under way")
	// ErrLeaseLost means that the lease expired and may be another's: nothing more was changed.
	ErrLeaseLost = errors.New("the lease was lost")
	// ErrStateChanged means that the cluster is not what was planned for; it comes as a StateChangedError.
	ErrStateChanged = errors.New("the cluster has changed")
	// ErrNotApproved means that nobody agreed to moving data; nothing was changed.
	ErrNotApproved = errors.New("not approved")
	// ErrMassChange means that the plan replaces too much to be no mistake.
	ErrMassChange = errors.New("the plan replaces a great part of all ranges")
)

// A LockedError says who has the lease.
type LockedError struct {
	Holder Holder
	// Now is the cluster's time when it was asked.
	Now time.Time
}

// Error names the holder.
func (e *LockedError) Error() string {
	return fmt.Sprintf("apply: %v: %s, since %s", ErrLocked, e.Holder, e.Holder.Since.UTC().Format(time.RFC3339))
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Hint says how the lease comes free.
func (e *LockedError) Hint() string {
	left := max(e.Holder.Expires.Sub(e.Now), time.Second).Round(time.Second)
	return fmt.Sprintf("wait until it has ended; if its process was killed, the lease expires by itself, in %s at the latest: run apply again then", left)
}

// A StateChangedError says that the cluster is not what was planned for.
type StateChangedError struct {
	// When says since when, in words.
	When string
	// Differences are lines for people. They are empty where the change is not one of zones and ranges.
	Differences []string
}

// maxDifferences is how many differences an error shows.
const maxDifferences = 5

// Error names the first differences.
func (e *StateChangedError) Error() string {
	text := fmt.Sprintf("apply: %v %s", ErrStateChanged, e.When)
	shown := e.Differences[:min(len(e.Differences), maxDifferences)]
	if len(shown) == 0 {
		return text + ", in something other than zones and ranges: a shard key, a validator, or balancing turned off for a collection"
	}
	text += ":\n  " + strings.Join(shown, "\n  ")
	if more := len(e.Differences) - len(shown); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return text
}

// Is reports whether target is ErrStateChanged.
func (e *StateChangedError) Is(target error) bool { return target == ErrStateChanged }

// Hint says what to do.
func (e *StateChangedError) Hint() string {
	return "somebody else has changed it; plan again, look at the steps, and apply the new plan"
}

// A StepError says which step of a plan failed and how many were done.
type StepError struct {
	Done, Total int
	Step        string
	// Held are collections that the balancer was told to leave alone, and still does.
	Held []string
	Err  error
}

// Error names the step.
func (e *StepError) Error() string {
	return fmt.Sprintf("apply: step %d of %d (%s): %v", e.Done+1, e.Total, e.Step, e.Err)
}

// Unwrap returns what it failed with.
func (e *StepError) Unwrap() error { return e.Err }

// Hint says how to go on.
func (e *StepError) Hint() string {
	text := fmt.Sprintf("%d steps are done and recorded; run apply again to go on from there", e.Done)
	if len(e.Held) > 0 {
		text += fmt.Sprintf("; until then the balancer leaves %s alone, whose ranges are half replaced", strings.Join(e.Held, ", "))
	}
	if own := hint.Of(e.Err); own != "" {
		text = own + "; " + text
	}
	return text
}
