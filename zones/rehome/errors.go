package rehome

import "errors"

// The errors that callers branch on, with errors.Is.
var (
	// ErrNotMovable means that documents cannot change their home by an update.
	ErrNotMovable = errors.New("documents of this namespace cannot be moved by an update")
	// ErrIncomplete means that documents are missing or were left behind when all was done.
	ErrIncomplete = errors.New("not all documents are at their new home")
	// ErrNoLink means that no document has the field by which a related namespace is to follow: its documents would stay behind.
	ErrNoLink = errors.New("the field that links it is missing")
)
