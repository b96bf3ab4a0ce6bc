package zones

import (
	"context"
	"time"
)

// JournalDatabase holds the journal of applies and their lease.
const JournalDatabase = "geoshard"

// A RunStatus says how far a run is.
type RunStatus string

// The statuses of a run.
const (
	// RunGoing: it goes on, or its process was killed.
	RunGoing RunStatus = "going"
	// RunFailed: one of its steps failed. It can be resumed.
	RunFailed RunStatus = "failed"
	// RunDone: all its steps are in effect.
	RunDone RunStatus = "done"
	// RunReplaced: it was not finished; a later run went on from a new plan.
	RunReplaced RunStatus = "replaced"
)

// A StepStatus says how far a step is.
type StepStatus string

// The statuses of a step. What is not begun yet is waiting.
const (
	StepWaiting StepStatus = "waiting"
	// StepStarted: it may be in effect or not.
	StepStarted StepStatus = "started"
	StepDone    StepStatus = "done"
	StepFailed  StepStatus = "failed"
)

// A Run is one apply in the journal.
type Run struct {
	ID string `bson:"_id" json:"id"`
	// Plan identifies the plan: two plans with the same steps for the same state of the same cluster are the same.
	Plan string `bson:"plan" json:"plan"`
	// StateHash is of the state that it was planned for.
	StateHash string    `bson:"stateHash" json:"stateHash"`
	Status    RunStatus `bson:"status" json:"status"`
	// Owner is who applies, Token the lease that it is done under.
	Owner string `bson:"owner" json:"owner"`
	Token string `bson:"token" json:"-"`
	// Started and Ended are the server's times. Ended is zero while the run goes on.
	Started time.Time `bson:"started" json:"started"`
	Ended   time.Time `bson:"ended,omitempty" json:"ended,omitzero"`
	// Before is the layout that was found, After the one that was planned.
	Before Layout `bson:"before" json:"before"`
	After  Layout `bson:"after" json:"after"`
	// Steps are in the order in which they are made.
	Steps []RunStep `bson:"steps" json:"steps"`
	// Holds are the collections that the balancer leaves alone because of this run.
	Holds []string `bson:"holds" json:"holds,omitempty"`
	// Error is what the run failed with.
	Error string `bson:"error,omitempty" json:"error,omitempty"`
}

// A RunStep is one step of a run.
type RunStep struct {
	Step   string     `bson:"step" json:"step"`
	Hash   string     `bson:"hash" json:"hash"`
	Status StepStatus `bson:"status" json:"status"`
	Error  string     `bson:"error,omitempty" json:"error,omitempty"`
}

// A History is the part of a journal that plans look at.
type History interface {
	// Unfinished returns the runs that were begun and not ended, the newest first.
	Unfinished(ctx context.Context) ([]Run, error)
	// LastDone returns the last run that was done, nil if there is none.
	LastDone(ctx context.Context) (*Run, error)
}

// Unfinished reports whether the run was begun and neither ended nor was replaced.
func (r *Run) Unfinished() bool { return r.Status == RunGoing || r.Status == RunFailed }

// Done is the number of steps that are in effect for certain, up to the first that may not be.
func (r *Run) Done() int {
	for i, step := range r.Steps {
		if step.Status != StepDone {
			return i
		}
	}
	return len(r.Steps)
}

// Begun is the number of steps up to the last one that may be in effect: those that are done, and those of the group that was begun behind them.
func (r *Run) Begun() int {
	n := len(r.Steps)
	for n > 0 && r.Steps[n-1].Status == StepWaiting {
		n--
	}
	return n
}
