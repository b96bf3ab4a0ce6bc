package plan

import (
	"bytes"
	"cmp"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/zones"
)

// validatorStep is the step that brings geoshard's part of a collection's validator up to date; ok is false if it is.
func validatorStep(c zones.Collection, want bson.Raw) (_ zones.SetValidator, ok bool) {
	ours, others := zones.SplitValidator(c.Validator)
	if bytes.Equal(ours, want) {
		return zones.SetValidator{}, false
	}
	return zones.SetValidator{Collection: c.Name, Validator: shardkey.ExtJSON(zones.JoinValidator(want, others)),
		// The server's defaults, written out: without them there is no telling later what they were.
		Level: cmp.Or(c.ValidationLevel, "strict"), Action: cmp.Or(c.ValidationAction, "error")}, true
}
