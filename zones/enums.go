package zones

import (
	"fmt"
	"slices"
	"strings"
)

var (
	causeNames    = []string{CauseIntent: "intent", CauseDrift: "drift", CauseTighten: "tighten"}
	severityNames = []string{SeverityNote: "note", SeverityWarning: "warning", SeverityError: "error"}
)

// String is "intent", "drift" or "tighten".
func (c Cause) String() string { return nameOf(causeNames, int(c)) }

// MarshalText writes the name of a known cause.
func (c Cause) MarshalText() ([]byte, error) { return marshalName("cause", causeNames, int(c)) }

// UnmarshalText reads a name that String wrote.
func (c *Cause) UnmarshalText(text []byte) error {
	return unmarshalName("cause", causeNames, text, (*int)(c))
}

// String is "note", "warning" or "error".
func (s Severity) String() string { return nameOf(severityNames, int(s)) }

// MarshalText writes the name of a known severity.
func (s Severity) MarshalText() ([]byte, error) {
	return marshalName("severity", severityNames, int(s))
}

// UnmarshalText reads a name that String wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	return unmarshalName("severity", severityNames, text, (*int)(s))
}

// nameOf is the name of an enum's value; 0 and what is beyond the names are unknown.
func nameOf(names []string, value int) string {
	if value <= 0 || value >= len(names) {
		return "unknown"
	}
	return names[value]
}

func marshalName(what string, names []string, value int) ([]byte, error) {
	if value <= 0 || value >= len(names) {
		return nil, fmt.Errorf("marshal %s: %d has no name", what, value)
	}
	return []byte(names[value]), nil
}

func unmarshalName(what string, names []string, text []byte, to *int) error {
	value := slices.Index(names, string(text))
	if value <= 0 {
		return fmt.Errorf("unknown %s %q: want %s", what, text, strings.Join(names[1:], ", "))
	}
	*to = value
	return nil
}
