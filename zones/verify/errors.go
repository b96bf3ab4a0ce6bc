package verify

import "errors"

// The errors that callers branch on, with errors.Is.
var (
	// ErrUnreachable means that a member that holds documents could not be asked, so nothing is proved about it.
	ErrUnreachable = errors.New("member not reachable")
	// ErrNoQueryRouter means that the client is connected to something else than a query router.
	ErrNoQueryRouter = errors.New("not a query router")
	// ErrUndeclared means that the topology lacks a namespace or that the cluster has a shard that the topology lacks.
	ErrUndeclared = errors.New("not in the topology")
	// ErrAltered means that a report's content is not what its hash was made of.
	ErrAltered = errors.New("the report was altered")
)
