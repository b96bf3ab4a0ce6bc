package cart

import (
	"fmt"
	"regexp"
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

// datacenterShape is the shape of datacenters' names in topologies, which have no dot.
var datacenterShape = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?$`)

// ParseHandle reads what String writes, and nothing else: an ULID has one spelling, in capitals.
func ParseHandle(text string) (Handle, error) {
	dc, id, found := strings.Cut(text, ".")
	if !found || !datacenterShape.MatchString(dc) {
		return Handle{}, badHandle(text)
	}
	parsed, err := ulid.ParseStrict(id)
	if err != nil || parsed.String() != id {
		return Handle{}, badHandle(text)
	}
	return Handle{DataCenter: topology.DatacenterID(dc), ID: parsed}, nil
}

// CheckDatacenter refuses what is no datacenter's name.
func CheckDatacenter(dc string) error {
	if datacenterShape.MatchString(dc) {
		return nil
	}
	return hint.New(fmt.Errorf("%w: datacenter %.100q", ErrInvalid, dc), "up to 64 letters, digits, - and _, such as LON")
}

// HandleOf is the handle of a cart that is at home in a datacenter now. Its identifier stays for ever; its home may change.
func HandleOf(dc topology.DatacenterID, cartID string) (Handle, error) {
	return ParseHandle(string(dc) + "." + cartID)
}

func badHandle(text string) error {
	return hint.New(fmt.Errorf("%w: %.100q", ErrBadHandle, text), "a handle is a datacenter, a dot and an ULID in capitals, such as LON.01K4B4B2V8G3T0000000000000")
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
