package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitDifferences = 2
)

// errDifferences ends a command that compared two things and found them different: exit code 2, and no message, because the
// differences have been printed.
var errDifferences = errors.New("there are differences")

// finish prints a command's error and returns its exit code.
func (e *environment) finish(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errDifferences):
		return exitDifferences
	case e.output == outputJSON:
		_ = e.json(e.stderr, newFailure(err)) // nowhere left to tell
	default:
		s := e.styles(e.stderr)
		e.complain(s.bad("geoshard:"), err.Error())
		if help := hint.Of(err); help != "" {
			e.complain(s.warn("geoshard: hint:"), help)
		}
	}
	return exitFailed
}

// complain prints a text that may have several lines, each with the prefix.
func (e *environment) complain(prefix, text string) {
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		fmt.Fprintf(e.stderr, "%s %s\n", prefix, line)
	}
}

// A failure is an error as JSON.
type failure struct {
	Error    string             `json:"error"`
	Hint     string             `json:"hint,omitempty"`
	Problems []topology.Problem `json:"problems,omitempty"`
}

func newFailure(err error) failure {
	f := failure{Error: err.Error(), Hint: hint.Of(err)}
	var invalid *topology.Errors
	if errors.As(err, &invalid) {
		f.Problems = invalid.Problems
	}
	return f
}
