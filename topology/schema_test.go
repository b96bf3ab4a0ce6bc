package topology_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

// The schema is written by hand, for its words. These tests and those of schema_places_test.go hold it and the decoder together: they know the same keys,
// what one requires the other requires, and what the schema refuses the decoder refuses.

// compiled is the schema as a validator.
func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(topology.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a document as an editor's validator sees it.
func instance(t testing.TB, src []byte) (any, bool) {
	t.Helper()
	var document any
	if err := yaml.Unmarshal(src, &document); err != nil {
		return nil, false // no YAML: an editor says so without a schema
	}
	return plain(document), true
}

// plain makes strings of dates, which JSON has no type for.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plain(item)
		}
	case []any:
		for i, item := range v {
			v[i] = plain(item)
		}
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return v
}

func accepts(src []byte) bool {
	_, err := topology.Parse("geo.yaml", src)
	return err == nil
}

func TestSchemaAcceptsWhatTheDecoderAccepts(t *testing.T) {
	schema := compiled(t)
	files, err := filepath.Glob("../configs/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("presets: %v, %v", files, err)
	}
	documents := map[string][]byte{"docs/geoshard-yaml.md": documentedFile(t)}
	for _, file := range append(files, "testdata/nyc-lon-syd.yaml", "testdata/full.yaml") {
		if documents[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, src := range documents {
		document, ok := instance(t, src)
		if !ok || !accepts(src) {
			t.Errorf("%s is not valid", name)
			continue
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Logf("%d documents", len(documents))
}

// documentedFile is the file that docs/geoshard-yaml.md shows.
func documentedFile(t testing.TB) []byte {
	t.Helper()
	page, err := os.ReadFile("../docs/geoshard-yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ := strings.Cut(block, "```\n")
	return []byte(file)
}

func TestSchemaAcceptsEveryValidWorld(t *testing.T) {
	schema := compiled(t)
	worlds := 0
	rapid.Check(t, func(rt *rapid.T) {
		src, err := drawWorld(rt).Marshal()
		if err != nil {
			rt.Fatal(err)
		}
		document, ok := instance(t, src)
		if !ok {
			rt.Fatalf("no YAML:\n%s", src)
		}
		if err := schema.Validate(document); err != nil {
			rt.Fatalf("%v\n%s", err, src)
		}
		worlds++
	})
	t.Logf("%d worlds", worlds)
}

// Of the ways to get a file wrong, the schema finds many, and none that is not one.
func TestSchemaRefusesOnlyWhatTheDecoderRefuses(t *testing.T) {
	schema := compiled(t)
	base, err := os.ReadFile("testdata/nyc-lon-syd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	refused, wrong := 0, 0
	for _, s := range slips {
		src := []byte(s.source(t, string(base)))
		document, ok := instance(t, src)
		decoded := accepts(src)
		if !decoded {
			wrong++
		}
		if !ok || schema.Validate(document) == nil {
			continue
		}
		refused++
		if decoded {
			t.Errorf("%s: the schema refuses what the decoder accepts: %v", s.name, schema.Validate(document))
		}
	}
	if refused < 40 {
		t.Errorf("the schema refuses %d of %d slips only", refused, wrong)
	}
	t.Logf("the decoder refuses %d of %d slips, the schema %d of those", wrong, len(slips), refused)
}

// A key that stands twice in the schema would hide one of its meanings from an editor.
func TestSchemaHasNoKeyTwice(t *testing.T) {
	var document any
	if err := yaml.Unmarshal(topology.Schema(), &document); err != nil { // JSON is YAML, and this library refuses what encoding/json passes over
		t.Error(err)
	}
}
