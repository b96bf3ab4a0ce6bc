package topology

import "errors"

// What packages that meet a running cluster say of it beside its topology, for callers that branch with errors.Is. Each is said by several of them.
var (
	// ErrUndeclared means that the topology does not declare what is asked about or found: a namespace, a datacenter, a shard, a home for a value.
	ErrUndeclared = errors.New("not in the topology")
	// ErrUnknownDatacenter means that there is no such datacenter, or that it does not do what is asked of it because it only votes.
	ErrUnknownDatacenter = errors.New("unknown datacenter")
	// ErrUnknownMember means that no member has that name.
	ErrUnknownMember = errors.New("unknown member")
	// ErrNoQueryRouter means that a connection leads to something else than a query router.
	ErrNoQueryRouter = errors.New("not a query router")
)
