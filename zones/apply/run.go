package apply

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/zones"
)

// A Journal records applies, one run each, durably: what it has acknowledged survives the loss of any one server.
// Package zones/catalog keeps it in the cluster itself.
type Journal interface {
	// Begin records a run before its first step. The record of a run with the same ID is taken over: that is how an interrupted run is
	// resumed. Unfinished runs that it replaces are closed. Whoever had one of them gets ErrLeaseLost from then on.
	Begin(ctx context.Context, run zones.Run, replaces []string) error
	// Mark records where a run stands: its status, error and holds, how many steps are done, what became of the next one, and how many were begun. It
	// returns ErrLeaseLost if the run is no longer ours.
	Mark(ctx context.Context, run zones.Run) error
	zones.History
}

// newRun is the record of a plan that has not begun.
func newRun(plan *zones.Plan, order []orderedStep, before zones.Layout) zones.Run {
	run := zones.Run{
		Plan: planID(plan), StateHash: plan.StateHash, Status: zones.RunGoing,
		Before: before, After: plan.Layout, Steps: make([]zones.RunStep, len(order)),
	}
	for i, step := range order {
		run.Steps[i] = zones.RunStep{Step: step.Change.String(), Hash: changeHash(step.Change), Status: zones.StepWaiting}
	}
	return run
}

// changeHash identifies a change by its type and its fields.
func changeHash(c zones.Change) string {
	fields, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("changes are made of names and documents: %v", err)) // impossible: no field can fail
	}
	return hexSum(fmt.Sprintf("%T %s", c, fields))
}

// planID identifies a plan by its steps and the state that they are for; when it was made and what it says to people do not matter.
func planID(p *zones.Plan) string {
	var text strings.Builder // a plan may have many thousands of steps
	text.WriteString(p.ClusterID + " " + p.StateHash)
	for _, step := range p.Steps {
		text.WriteString(" " + changeHash(step.Change))
	}
	return hexSum(text.String())
}

func hexSum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
