package shardkey

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ExtJSON is a document that is written as canonical extended JSON, which keeps the types of BSON. nil is null.
type ExtJSON bson.Raw

// IsZero is true for what omitzero leaves out: no document.
func (e ExtJSON) IsZero() bool { return len(e) == 0 }

// MarshalJSON writes canonical extended JSON.
func (e ExtJSON) MarshalJSON() ([]byte, error) {
	if e == nil {
		return []byte("null"), nil
	}
	return bson.MarshalExtJSON(bson.Raw(e), true, false)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *ExtJSON) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*e = nil
		return nil
	}
	var raw bson.Raw
	if err := bson.UnmarshalExtJSON(text, true, &raw); err != nil {
		return fmt.Errorf("read extended JSON: %w", err)
	}
	*e = ExtJSON(raw)
	return nil
}
