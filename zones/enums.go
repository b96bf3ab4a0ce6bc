package zones

import "github.com/geoshard/geoshard/internal/enum"

var causeNames = []string{CauseIntent: "intent", CauseDrift: "drift", CauseTighten: "tighten"}

// String is "intent", "drift" or "tighten".
func (c Cause) String() string { return enum.Name(causeNames, c) }

// MarshalText writes the name of a known cause.
func (c Cause) MarshalText() ([]byte, error) { return enum.Marshal("cause", causeNames, c) }

// UnmarshalText reads a name that String wrote.
func (c *Cause) UnmarshalText(text []byte) error {
	return enum.Unmarshal("cause", causeNames, text, c)
}
