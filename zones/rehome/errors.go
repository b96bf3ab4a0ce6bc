package rehome

import "errors"

// The errors that callers branch on, with errors.Is.
var (
	// ErrUndeclared means that the topology lacks the namespace, or has no zone for the new value.
	ErrUndeclared = errors.New("not in the topology")
	// ErrNotMovable means that documents cannot change their home by an update.
	ErrNotMovable = errors.New("documents of this namespace cannot be moved by an update")
	// ErrIncomplete means that documents are missing or were left behind when all was done.
	ErrIncomplete = errors.New("not all documents are at their new home")
)

// An Error is an error with a way out.
type Error struct {
	Err  error
	Help string
}

// Error returns the error without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error that the hint belongs to.
func (e *Error) Unwrap() error { return e.Err }

// Hint returns what to do next.
func (e *Error) Hint() string { return e.Help }
