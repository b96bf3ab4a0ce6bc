package zones

import (
	"encoding/json"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// inJSON is the range as JSON has it, to be written and to be read into: its bounds are canonical extended JSON.
func (r *Range) inJSON() any {
	return &struct {
		Min  *shardkey.ExtJSON `json:"min"`
		Max  *shardkey.ExtJSON `json:"max"`
		Zone *topology.ZoneID  `json:"zone"`
	}{(*shardkey.ExtJSON)(&r.Min), (*shardkey.ExtJSON)(&r.Max), &r.Zone}
}

// MarshalJSON writes the bounds as canonical extended JSON.
func (r Range) MarshalJSON() ([]byte, error) { return json.Marshal(r.inJSON()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Range) UnmarshalJSON(text []byte) error { return decodeStrictly(text, r.inJSON()) }

type barePlacement Placement

// inJSON is the placement as JSON has it, to be written and to be read into: its condition is canonical extended JSON.
func (p *Placement) inJSON() any {
	return &struct {
		*barePlacement
		Reject *shardkey.ExtJSON `json:"reject,omitzero"`
	}{(*barePlacement)(p), (*shardkey.ExtJSON)(&p.Reject)}
}

// MarshalJSON writes the condition as canonical extended JSON.
func (p Placement) MarshalJSON() ([]byte, error) { return json.Marshal(p.inJSON()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Placement) UnmarshalJSON(text []byte) error { return decodeStrictly(text, p.inJSON()) }
