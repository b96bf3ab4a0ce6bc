package serve

import "errors"

// ErrUnfinished means that requests under way were broken off at the end.
var ErrUnfinished = errors.New("not all requests ended")

// An Error is an error with a way out. Branch on what it wraps.
type Error struct {
	Err  error
	Help string
}

// Error returns the error without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Hint returns what to do next.
func (e *Error) Hint() string { return e.Help }

// Unwrap returns the error that the hint belongs to.
func (e *Error) Unwrap() error { return e.Err }
