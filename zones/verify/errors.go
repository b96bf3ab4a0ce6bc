package verify

import "errors"

// The errors that callers branch on, with errors.Is.
var (
	// ErrUnreachable means that a member that holds documents could not be asked, so nothing is proved about it.
	ErrUnreachable = errors.New("member not reachable")
	// ErrAltered means that a report's content is not what its hash was made of.
	ErrAltered = errors.New("the report was altered")
)
