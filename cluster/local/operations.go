package local

import (
	"context"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/wan"
)

// operations are what can be done to a cluster. The supervisor does them, and who attached to the cluster asks it to: both are one function of an operation's name.
type operations func(ctx context.Context, operation string, q controlRequest) error

// A controlRequest is the body of every POST; which fields count depends on the path.
type controlRequest struct {
	Member string           `json:"member,omitempty"`
	Fault  string           `json:"fault,omitempty"`
	Lag    cluster.Duration `json:"lag,omitempty"`
	// fault is what Fault says, where the request does not leave the process.
	fault wan.Fault
}

// Kill ends a member's process with SIGKILL and returns when it is gone. Killing a dead one does nothing.
func (o operations) Kill(ctx context.Context, member string) error {
	return o(ctx, "kill", controlRequest{Member: member})
}

// Pause stops a member's process with SIGSTOP: its sockets stay open and nobody answers. It returns ErrUnsupported on
// Windows and ErrNotRunning for a dead process.
func (o operations) Pause(ctx context.Context, member string) error {
	return o(ctx, "pause", controlRequest{Member: member})
}

// Start starts a killed member, with the address and the data that it had, or lets a paused one go on. It is
// idempotent, and returns when the member answers as what it is: a shard's member as primary, secondary or arbiter.
// A member that finds no majority may stay in recovery; then the error is ctx's.
func (o operations) Start(ctx context.Context, member string) error {
	return o(ctx, "start", controlRequest{Member: member})
}

// Apply puts a fault into force. It returns ErrBadFault, topology.ErrUnknownDatacenter or topology.ErrUnknownMember for what
// cannot be.
func (o operations) Apply(ctx context.Context, fault wan.Fault) error {
	return o(ctx, "apply", controlRequest{Fault: fault.String(), fault: fault})
}

// Remove ends one fault that is in force.
func (o operations) Remove(ctx context.Context, fault wan.Fault) error {
	return o(ctx, "remove", controlRequest{Fault: fault.String(), fault: fault})
}

// Heal removes every fault of the links and every lag. Killed and paused members stay as they are.
func (o operations) Heal(ctx context.Context) error { return o(ctx, "heal", controlRequest{}) }

// SetLag holds a shard's data member that far behind its sync source, by slowing the connections on which it fetches
// the oplog: heartbeats, votes and acknowledgements keep their timing. 0 ends it. Only shard members that hold data can
// lag; others return ErrUnsupported. It returns when the lag is in force: a lag of more than a few seconds builds up in
// little more than its own time.
func (o operations) SetLag(ctx context.Context, member string, lag time.Duration) error {
	return o(ctx, "lag", controlRequest{Member: member, Lag: cluster.Duration(lag)})
}
