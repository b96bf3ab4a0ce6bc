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
	// ErrStateChanged means that the cluster is not what was planned for.
	ErrStateChanged = errors.New("the cluster has changed")
	// ErrNotApproved means that nobody agreed to moving data; nothing was changed.
	ErrNotApproved = errors.New("not approved")
	// ErrNotSharded means that a change is about a collection that is not sharded, or not there. Performers return it.
	ErrNotSharded = errors.New("the collection is not sharded")
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

// maxDifferences is how many differences an error shows.
const maxDifferences = 5

// stateChanged is the error of a cluster that is not what was planned for. When says since when, in words. Differences are lines for people, none where the change is
// not one of zones and ranges.
func stateChanged(when string, differences []string) error {
	text := ", in something other than zones and ranges: a shard key, a validator, or balancing turned off for a collection"
	if len(differences) > 0 {
		shown := differences[:min(len(differences), maxDifferences)]
		text = ":\n  " + strings.Join(shown, "\n  ")
		if more := len(differences) - len(shown); more > 0 {
			text += fmt.Sprintf("\n  and %d more", more)
		}
	}
	return hint.New(fmt.Errorf("apply: %w %s%s", ErrStateChanged, when, text), "somebody else has changed it, or what an interrupted apply had begun came into effect since; plan again, look at the steps, and apply the new plan")
}

// A StepError says which step of a plan failed, the first one if several did.
type StepError struct {
	// Done steps of Total come before it, Made are done in all.
	Done, Made, Total int
	Step              string
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
	text := fmt.Sprintf("%d steps are done and recorded; run apply again to go on from there", e.Made)
	if len(e.Held) > 0 {
		text += fmt.Sprintf("; until then the balancer leaves %s alone, whose ranges are half replaced", strings.Join(e.Held, ", "))
	}
	if own := hint.Of(e.Err); own != "" {
		text = own + "; " + text
	}
	return text
}
