package topology

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/enum"
)

// ErrInvalid is wrapped by every *Errors, for callers that only ask whether a topology was refused.
var ErrInvalid = errors.New("invalid topology")

// A Severity says whether a problem refuses the topology.
type Severity int

// The severities.
const (
	SeverityUnknown Severity = iota
	// SeverityError refuses the topology.
	SeverityError
	// SeverityWarning points at something that is legal and likely a mistake.
	SeverityWarning
)

var severityNames = []string{SeverityError: "error", SeverityWarning: "warning"}

// String is "error" or "warning".
func (s Severity) String() string { return enum.Name(severityNames, s) }

// MarshalText writes the name of a known severity.
func (s Severity) MarshalText() ([]byte, error) {
	return enum.Marshal("severity", severityNames, s)
}

// UnmarshalText reads a name that String wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	return readName("severity", severityNames, text, s)
}

// A Problem is one thing that is wrong with a topology.
type Problem struct {
	Severity Severity `json:"severity"`
	// File is the name that Parse was given; empty for a topology that was made in Go.
	File string `json:"file,omitempty"`
	// Line and Column count from 1; 0 for a topology that was made in Go.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Path is the place in the document, for example shards.nyc.members[1].dc.
	Path string `json:"path,omitempty"`
	Msg  string `json:"message"`
	// Hint is a way out, or empty.
	Hint string `json:"suggestion,omitempty"`
}

// longKey finds keys in a path that are longer than a message shows.
var longKey = regexp.MustCompile(fmt.Sprintf(`([^.\[\]"]{%d})[^.\[\]"]+`, longestExcerpt))

// String writes the problem on one line: "geo.yaml:12:5: shards.nyc.members[1].dc: unknown datacenter "LNO" (did you mean "LON"?)".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(" ")
	}
	if p.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(longKey.ReplaceAllString(p.Path, "$1…") + ": ")
	}
	b.WriteString(p.Msg)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Errors are all the problems that refused a topology, in the order of the file.
type Errors struct{ Problems []Problem }

// Error has one line for each problem.
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *Errors) Unwrap() error { return ErrInvalid }

// asError returns the errors among problems as *Errors, or nil.
func asError(problems []Problem) error {
	var found []Problem
	for _, p := range problems {
		if p.Severity == SeverityError {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &Errors{Problems: found}
}

// sortByPlace puts problems into the order of the file; those of one place stay in the order in which they were found.
func sortByPlace(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}
