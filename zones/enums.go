package zones

import "github.com/geoshard/geoshard/internal/enum"

var (
	causeNames    = []string{CauseIntent: "intent", CauseDrift: "drift", CauseTighten: "tighten"}
	severityNames = []string{SeverityNote: "note", SeverityWarning: "warning", SeverityError: "error"}
)

// String is "intent", "drift" or "tighten".
func (c Cause) String() string { return enum.Name(causeNames, c) }

// MarshalText writes the name of a known cause.
func (c Cause) MarshalText() ([]byte, error) { return enum.Marshal("cause", causeNames, c) }

// UnmarshalText reads a name that String wrote.
func (c *Cause) UnmarshalText(text []byte) error {
	return enum.Unmarshal("cause", causeNames, text, c)
}

// String is "note", "warning" or "error".
func (s Severity) String() string { return enum.Name(severityNames, s) }

// MarshalText writes the name of a known severity.
func (s Severity) MarshalText() ([]byte, error) {
	return enum.Marshal("severity", severityNames, s)
}

// UnmarshalText reads a name that String wrote.
func (s *Severity) UnmarshalText(text []byte) error {
	return enum.Unmarshal("severity", severityNames, text, s)
}
