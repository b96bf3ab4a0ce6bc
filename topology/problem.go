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

// A Severity ranks what was found out about a topology, a profile or a cluster.
type Severity int

// The severities.
const (
	SeverityUnknown Severity = iota
	// SeverityNote is good to know.
	SeverityNote
	// SeverityWarning works, and is likely a mistake or will surprise somebody.
	SeverityWarning
	// SeverityError refuses the topology, or keeps what is declared from coming true.
	SeverityError
)

var severityNames = []string{SeverityNote: "note", SeverityWarning: "warning", SeverityError: "error"}

// String is "note", "warning" or "error".
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
	text := ""
	if p.File != "" {
		text = p.File + ":"
	}
	if p.Line > 0 {
		text += fmt.Sprintf("%d:%d:", p.Line, p.Column)
	}
	if text != "" {
		text += " "
	}
	if p.Severity == SeverityWarning {
		text += "warning: "
	}
	if p.Path != "" {
		text += longKey.ReplaceAllString(p.Path, "$1…") + ": "
	}
	text += p.Msg
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Errors are all the problems that refused a topology, in the order of the file.
type Errors struct{ Problems []Problem }

// Error has one line for each problem.
func (e *Errors) Error() string {
	return strings.Join(each(e.Problems, Problem.String), "\n")
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *Errors) Unwrap() error { return ErrInvalid }

// asError returns the errors among problems as *Errors, or nil.
func asError(problems []Problem) error {
	found := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Severity != SeverityError })
	if len(found) == 0 {
		return nil
	}
	return &Errors{Problems: found}
}
