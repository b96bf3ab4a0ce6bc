package plan

import (
	"bytes"

	"github.com/geoshard/geoshard/zones"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// validatorStep is the step that brings geoshard's part of a collection's validator up to date; ok is false if it is.
func validatorStep(c zones.Collection, want bson.Raw) (change zones.SetValidator, ok bool) {
	ours, others := zones.SplitValidator(c.Validator)
	if bytes.Equal(ours, want) {
		return zones.SetValidator{}, false
	}
	change = zones.SetValidator{Collection: c.Name, Validator: zones.JoinValidator(want, others), Level: c.ValidationLevel, Action: c.ValidationAction}
	// The server's defaults, written out: without them there is no telling later what they were.
	if change.Level == "" {
		change.Level = "strict"
	}
	if change.Action == "" {
		change.Action = "error"
	}
	return change, true
}
