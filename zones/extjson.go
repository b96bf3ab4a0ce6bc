package zones

import (
	"encoding/json"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

type rangeJSON struct {
	Min  shardkey.ExtJSON `json:"min"`
	Max  shardkey.ExtJSON `json:"max"`
	Zone topology.ZoneID  `json:"zone"`
}

// MarshalJSON writes the bounds as canonical extended JSON.
func (r Range) MarshalJSON() ([]byte, error) {
	return json.Marshal(rangeJSON{shardkey.ExtJSON(r.Min), shardkey.ExtJSON(r.Max), r.Zone})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Range) UnmarshalJSON(text []byte) error {
	var in rangeJSON
	if err := decodeStrictly(text, &in); err != nil {
		return err
	}
	*r = Range{Min: bson.Raw(in.Min), Max: bson.Raw(in.Max), Zone: in.Zone}
	return nil
}

// placementJSON is a placement whose condition is canonical extended JSON.
type placementJSON struct {
	barePlacement
	Reject shardkey.ExtJSON `json:"reject,omitempty"`
}

type barePlacement Placement

// MarshalJSON writes the condition as canonical extended JSON.
func (p Placement) MarshalJSON() ([]byte, error) {
	return json.Marshal(placementJSON{barePlacement(p), shardkey.ExtJSON(p.Reject)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Placement) UnmarshalJSON(text []byte) error {
	var in placementJSON
	if err := decodeStrictly(text, &in); err != nil {
		return err
	}
	*p = Placement(in.barePlacement)
	p.Reject = bson.Raw(in.Reject)
	return nil
}

type setValidatorJSON struct {
	Collection string           `json:"collection"`
	Validator  shardkey.ExtJSON `json:"validator,omitempty"`
	Level      string           `json:"level,omitempty"`
	Action     string           `json:"action,omitempty"`
}

// MarshalJSON writes the validator as canonical extended JSON.
func (c SetValidator) MarshalJSON() ([]byte, error) {
	return json.Marshal(setValidatorJSON{c.Collection, shardkey.ExtJSON(c.Validator), c.Level, c.Action})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *SetValidator) UnmarshalJSON(text []byte) error {
	var in setValidatorJSON
	if err := decodeStrictly(text, &in); err != nil {
		return err
	}
	*c = SetValidator{Collection: in.Collection, Validator: bson.Raw(in.Validator), Level: in.Level, Action: in.Action}
	return nil
}
