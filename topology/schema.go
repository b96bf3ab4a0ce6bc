package topology

import (
	"bytes"
	_ "embed"
)

//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of geoshard.yaml, for editors: they complete keys, explain them, and mark what has the wrong name or type. It knows the
// shape of a document and not what its parts say of each other: what it refuses, Check refuses too, and Check refuses more.
func Schema() []byte { return bytes.Clone(schema) }
