package cluster

import (
	"errors"
	"fmt"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
)

// The errors that callers branch on, with errors.Is.
var (
	// ErrUnsupported means that the provider or the operating system cannot do it.
	ErrUnsupported = errors.New("not supported")
	// ErrRunning means that a cluster of that name runs already.
	ErrRunning = errors.New("already running")
	// ErrNotRunning means that no cluster of that name runs.
	ErrNotRunning = errors.New("not running")
	// ErrClosed means that the cluster was closed.
	ErrClosed = errors.New("cluster is closed")
	// ErrBadFault means that a fault cannot be read or applied.
	ErrBadFault = errors.New("bad fault")
	// ErrForeign means that a file or directory that stands in the way was not made by geoshard, which leaves it alone.
	ErrForeign = errors.New("geoshard did not make it")
)

// CannotGrow returns an ErrUnsupported for a cluster that was not started to grow; help says how to start one that is.
func CannotGrow(name, help string) error {
	return hint.New(fmt.Errorf("grow cluster %s: %w: nothing was said at its start that it could grow by", name, ErrUnsupported), help)
}

// Unknown returns a topology.ErrUnknownMember or topology.ErrUnknownDatacenter, which is the sentinel, for a name; its hint is the nearest of the known names.
func Unknown[S ~string](sentinel error, name S, known []S) error {
	help := "known are " + spelling.List(known)
	if best := spelling.Nearest(string(name), known); best != "" {
		help = fmt.Sprintf("did you mean %q? %s", best, help)
	}
	return hint.New(fmt.Errorf("%w %q", sentinel, name), help)
}
