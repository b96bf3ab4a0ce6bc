package cart

import (
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A Handle names a cart, and its order, in the whole world: the datacenter where it is at home, and an identifier that is unique there.
type Handle struct {
	DataCenter topology.DatacenterID
	ID         ulid.ULID
}

// ParseHandle reads what String writes, and nothing else: an ULID has one spelling, in capitals.
func ParseHandle(text string) (Handle, error) {
	dc, id, _ := strings.Cut(text, ".")
	parsed, err := ulid.ParseStrict(id)
	if err != nil || parsed.String() != id || !nameShape.MatchString(dc) {
		return Handle{}, hint.New(fmt.Errorf("%w: %.100q", ErrBadHandle, text), "a handle is a datacenter, a dot and an ULID in capitals, such as LON.01K4B4B2V8G3T0000000000000")
	}
	return Handle{DataCenter: topology.DatacenterID(dc), ID: parsed}, nil
}

// CheckDatacenter refuses what is no datacenter's name.
func CheckDatacenter(dc string) error { return checkName("datacenter", dc, "LON") }

// HandleOf is the handle of a cart that is at home in a datacenter now. Its identifier stays for ever; its home may change.
func HandleOf(dc topology.DatacenterID, cartID string) (Handle, error) {
	return ParseHandle(string(dc) + "." + cartID)
}

// String writes the handle: "LON.01K4B4B2V8G3T0000000000000".
func (h Handle) String() string { return string(h.DataCenter) + "." + h.ID.String() }

// MarshalText writes String.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what String writes.
func (h *Handle) UnmarshalText(text []byte) error {
	parsed, err := ParseHandle(string(text))
	if err == nil {
		*h = parsed
	}
	return err
}
