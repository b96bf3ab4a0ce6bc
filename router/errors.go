package router

import "errors"

// ErrNoTable means that a world does not say how to route.
var ErrNoTable = errors.New("no routing table")

// An Error says what to do about it.
type Error struct {
	Err error
	// Help is a way out.
	Help string
}

// Error is what is wrong.
func (e *Error) Error() string { return e.Err.Error() }

// Hint is what to do about it.
func (e *Error) Hint() string { return e.Help }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
