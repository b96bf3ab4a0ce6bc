package zones

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Journal records applies, one run each, durably: what it has acknowledged survives the loss of any one server.
// Package zones/catalog keeps it in the cluster itself.
type Journal interface {
	// Begin records a run before its first step. The record of a run with the same ID is taken over: that is how an interrupted run is
	// resumed. Unfinished runs that it replaces are closed. Whoever had one of them gets ErrLeaseLost from then on.
	Begin(ctx context.Context, run Run, replaces []string) error
	// Mark records where a run stands: its status, error and holds, how many steps are done, what became of the next one, and how many were begun. It
	// returns ErrLeaseLost if the run is no longer ours.
	Mark(ctx context.Context, run Run) error
	// Unfinished returns the runs that were begun and not ended, the newest first.
	Unfinished(ctx context.Context) ([]Run, error)
	// LastDone returns the last run that was done, nil if there is none.
	LastDone(ctx context.Context) (*Run, error)
}

// LastApplied returns the layout that the journal has as the last one applied, nil if there is none: what NewPlan needs to tell drift from intent.
func LastApplied(ctx context.Context, j Journal) (*Layout, error) {
	run, err := j.LastDone(ctx)
	if err != nil || run == nil {
		return nil, err
	}
	return &run.After, nil
}

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
	StepIsDone  StepStatus = "done"
	StepIsBad   StepStatus = "failed"
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

// Unfinished reports whether the run was begun and neither ended nor was replaced.
func (r *Run) Unfinished() bool { return r.Status == RunGoing || r.Status == RunFailed }

// Done is the number of steps that are in effect for certain, up to the first that may not be.
func (r *Run) Done() int {
	for i, step := range r.Steps {
		if step.Status != StepIsDone {
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

// hold and release keep account of what the balancer leaves alone for the run.
func (r *Run) hold(collection string) {
	if !slices.Contains(r.Holds, collection) {
		r.Holds = append(r.Holds, collection)
	}
}

func (r *Run) release(collection string) {
	r.Holds = slices.DeleteFunc(slices.Clone(r.Holds), func(c string) bool { return c == collection })
}

// newRun is the record of a plan that has not begun.
func newRun(plan *Plan, order []orderedStep, before Layout) Run {
	run := Run{
		Plan: planID(plan), StateHash: plan.StateHash, Status: RunGoing,
		Before: before, After: plan.Layout, Steps: make([]RunStep, len(order)), Holds: []string{},
	}
	for i, step := range order {
		run.Steps[i] = RunStep{Step: step.Change.String(), Hash: changeHash(step.Change), Status: StepWaiting}
	}
	return run
}

// changeHash identifies a change by its type and its fields.
func changeHash(c Change) string {
	fields, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("changes are made of names and documents: %v", err)) // impossible: no field can fail
	}
	return hexSum(fmt.Sprintf("%T %s", c, fields))
}

// planID identifies a plan by its steps and the state that they are for; when it was made and what it says to people do not matter.
func planID(p *Plan) string {
	var text strings.Builder // a plan may have many thousands of steps
	text.WriteString(p.ClusterID + " " + p.StateHash)
	for _, step := range p.Steps {
		text.WriteString(" " + changeHash(step.Change))
	}
	return hexSum(text.String())
}

func hexSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
