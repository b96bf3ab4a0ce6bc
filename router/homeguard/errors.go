package homeguard

import (
	"errors"
	"fmt"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// The errors that callers branch on, with errors.Is.
var (
	// ErrLeavesHome means that an operation was refused because it would have left its datacenter.
	ErrLeavesHome = errors.New("operation leaves its datacenter")
	// ErrOptions means that a guard cannot be made of its options.
	ErrOptions = errors.New("bad options of the home guard")
)

// An Error says why an operation was refused. Nothing was sent.
type Error struct {
	// Shape is the operation without its values.
	Shape string
	// Here is the datacenter of the guard.
	Here topology.DatacenterID
	// Judgement says where the operation would have gone.
	Judgement Judgement
	// ZoneBy is the field that decides on the home.
	ZoneBy string
}

// Error says what was refused and why.
func (e *Error) Error() string {
	return fmt.Sprintf("home guard in %s refused %s: %s", e.Here, e.Shape, reason(e.Judgement, e.ZoneBy))
}

// Is makes the error an ErrLeavesHome.
func (e *Error) Is(target error) bool { return target == ErrLeavesHome }

// Hint says what to do.
func (e *Error) Hint() string {
	const deliberately = "if it is meant, run it under homeguard.Allow"
	switch e.Judgement.Verdict {
	case VerdictRemote:
		return fmt.Sprintf("send the request to %s (the router does), or read with the preference nearest; %s", spelling.List(e.Judgement.Datacenters), deliberately)
	case VerdictUnplaced:
		return fmt.Sprintf("use a value of %s that the topology gives to a zone, or declare it; %s", e.ZoneBy, deliberately)
	default:
		return fmt.Sprintf("add %s to the filter; %s", e.ZoneBy, deliberately)
	}
}

// reason says in words what a judgement found.
func reason(j Judgement, zoneBy string) string {
	switch j.Verdict {
	case VerdictRemote:
		return fmt.Sprintf("it touches keys that are at home in %s", spelling.List(j.Datacenters))
	case VerdictUnplaced:
		return fmt.Sprintf("its %s belongs to no zone, so it may be in %s", zoneBy, spelling.List(j.Datacenters))
	default:
		return fmt.Sprintf("it does not fix %s, so it asks %s", zoneBy, spelling.List(j.Datacenters))
	}
}
