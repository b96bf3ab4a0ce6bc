package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/geoshard/geoshard/hint"
)

// content is a Report without the methods of one.
type content Report

// signed is a report as it is written.
type signed struct {
	content
	SHA256 string `json:"sha256"`
}

// Hash is the SHA-256, in hexadecimal, of the report's canonical content: its JSON without the hash, as this package writes it.
func (r *Report) Hash() string {
	text, err := json.Marshal((*content)(r))
	if err != nil {
		panic(fmt.Sprintf("encode a report: %v", err)) // it holds nothing that JSON lacks
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// MarshalJSON writes the report and its hash.
func (r *Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(signed{content(*r), r.Hash()})
}

// Read reads a report that MarshalJSON wrote, with whatever white space since, and checks its hash. It returns ErrAltered if somebody changed it. The
// hash is no signature: whoever changes a report can make another one.
func Read(text []byte) (*Report, error) {
	var s signed
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, hint.New(fmt.Errorf("read the report: %w", err), "give the JSON that verify wrote")
	}
	r := Report(s.content)
	if r.Hash() != s.SHA256 {
		return nil, hint.New(fmt.Errorf("%w: its content has the hash %s, it says %q", ErrAltered, r.Hash(), s.SHA256), "run verify again")
	}
	return &r, nil
}
