package topology_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/topology"
)

// A node is one place of the full document, with the part of the schema that is about it.
type node struct {
	path   string // as problems name it
	schema map[string]any
	value  any
	put    func(any) // replaces the value in the document
}

// walk visits all places of a document.
func walk(root map[string]any, n node, visit func(node)) {
	n.schema = resolve(root, n.schema)
	visit(n)
	switch v := n.value.(type) {
	case map[string]any:
		known, _ := n.schema["properties"].(map[string]any)
		rest, _ := n.schema["additionalProperties"].(map[string]any)
		for key, item := range v {
			sub, ok := known[key].(map[string]any)
			if !ok {
				sub = rest
			}
			walk(root, node{path: below(n.path, key), schema: sub, value: item, put: func(x any) { v[key] = x }}, visit)
		}
	case []any:
		for i, item := range v {
			sub, ok := n.schema["items"].(map[string]any)
			if tuple, is := n.schema["items"].([]any); is {
				sub, ok = tuple[i].(map[string]any)
			}
			if ok {
				walk(root, node{path: fmt.Sprintf("%s[%d]", n.path, i), schema: sub, value: item, put: func(x any) { v[i] = x }}, visit)
			}
		}
	}
}

// resolve follows references.
func resolve(root, sub map[string]any) map[string]any {
	if all, ok := sub["allOf"].([]any); ok {
		sub = all[0].(map[string]any)
	}
	if ref, ok := sub["$ref"].(string); ok {
		return root["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	return sub
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func below(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

// visitFull visits every place of the full document. Documents are written as JSON, which is YAML too.
func visitFull(t *testing.T, visit func(n node, document func() []byte)) {
	t.Helper()
	src, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	document, ok := instance(t, src)
	if !ok {
		t.Fatal("the full document is no YAML")
	}
	var root map[string]any
	if err := json.Unmarshal(topology.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	write := func() []byte {
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, problems := topology.Check("full", write()); len(problems) > 0 {
		t.Fatalf("the full document, unspoilt: %v", problems)
	}
	walk(root, node{schema: root, value: document, put: func(x any) { document = x }}, func(n node) { visit(n, write) })
}

// messageAt is the decoder's message about a place of a document.
func messageAt(src []byte, path string) string {
	_, problems := topology.Check("geo.yaml", src)
	for _, p := range problems {
		if p.Path == path {
			return p.Msg
		}
	}
	return ""
}

// missingIn are the keys that the decoder misses at a place, sorted.
func missingIn(src []byte, path string) []string {
	_, problems := topology.Check("geo.yaml", src)
	var keys []string
	for _, p := range problems {
		if p.Msg == "the key is missing" {
			keys = append(keys, strings.TrimPrefix(strings.TrimPrefix(p.Path, path), "."))
		}
	}
	slices.Sort(keys)
	return keys
}

var knownKeys = regexp.MustCompile(`a mapping with the keys (.*), got `)

func TestSchemaAndDecoderKnowTheSameKeys(t *testing.T) {
	objects, described := map[string]bool{}, 0
	visitFull(t, func(n node, document func() []byte) {
		known, ok := n.schema["properties"].(map[string]any)
		if !ok {
			return
		}
		keys := make([]string, 0, len(known))
		for key, sub := range known {
			keys = append(keys, key)
			if text, _ := sub.(map[string]any)["description"].(string); !strings.HasSuffix(text, ".") {
				t.Errorf("%s: the schema does not describe %s in a sentence", n.path, key)
			}
			described++
		}
		slices.Sort(keys)
		required := []string{}
		for _, key := range asList(n.schema["required"]) {
			required = append(required, key.(string))
		}
		slices.Sort(required)
		defer n.put(n.value)

		n.put("x")
		msg := messageAt(document(), n.path)
		found := knownKeys.FindStringSubmatch(msg)
		if found == nil {
			t.Fatalf("%s: the decoder says %q, and does not list its keys", n.path, msg)
		}
		decoded := strings.Split(found[1], ", ")
		slices.Sort(decoded)
		if diff := cmp.Diff(decoded, keys); diff != "" {
			t.Errorf("%s: keys of the decoder -, of the schema +:\n%s", n.path, diff)
		}

		n.put(map[string]any{})
		if missing := missingIn(document(), n.path); !slices.Equal(missing, required) {
			t.Errorf("%s: the decoder requires %v, the schema %v", n.path, missing, required)
		}
		objects[strings.Join(keys, " ")] = true
	})
	if len(objects) < 8 {
		t.Errorf("the full document has %d kinds of objects only", len(objects))
	}
	t.Logf("%d kinds of objects, %d keys seen", len(objects), described)
}

func asList(v any) []any { list, _ := v.([]any); return list }

// Each kind of object uses all of its keys somewhere in the full document, so that no part of the schema escapes the tests.
func TestFullDocumentHasEveryKey(t *testing.T) {
	unused := map[string]bool{}
	used := map[string]bool{}
	visitFull(t, func(n node, _ func() []byte) {
		known, ok := n.schema["properties"].(map[string]any)
		if !ok {
			return
		}
		keys := make([]string, 0, len(known))
		for key := range known {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		kind := strings.Join(keys, " ")
		for _, key := range keys {
			unused[kind+": "+key] = true
			if _, ok := n.value.(map[string]any)[key]; ok {
				used[kind+": "+key] = true
			}
		}
	})
	for key := range unused {
		if !used[key] {
			t.Errorf("testdata/full.yaml does not use, of the object with the keys %s", key)
		}
	}
	t.Logf("%d keys", len(used))
}

// Values of another type, unknown keys, missing keys and words that no enum has are refused by both, wherever they stand.
func TestSchemaAndDecoderRefuseTheSameMistakes(t *testing.T) {
	schema := compiled(t)
	tried := 0
	both := func(what string, n node, document func() []byte) {
		t.Helper()
		src := document()
		seen, ok := instance(t, src)
		if !ok {
			t.Fatalf("%s: %s: no YAML", n.path, what)
		}
		tried++
		if accepts(src) {
			t.Errorf("%s: the decoder accepts %s", n.path, what)
		}
		if schema.Validate(seen) == nil {
			t.Errorf("%s: the schema accepts %s", n.path, what)
		}
	}
	visitFull(t, func(n node, document func() []byte) {
		defer n.put(n.value)
		for what, wrong := range map[string]any{"nothing": nil, "a list in a list": []any{[]any{}}, "a mapping": map[string]any{"colour": map[string]any{"hue": 1}}, "a boolean": true} {
			if _, same := n.value.(bool); same && wrong == true {
				continue
			}
			n.put(wrong)
			both(what, n, document)
		}
		if _, text := n.value.(string); text {
			if kind := resolvedTypes(n.schema); kind != "string number" {
				n.put(7)
				both("a number", n, document)
			}
		} else {
			n.put("\u00a0")
			if resolvedTypes(n.schema) != "string number" {
				both("a text", n, document)
			}
		}
		if words := asList(n.schema["enum"]); words != nil {
			n.put("activ")
			both("a word that is none of the enum's", n, document)
		}
		object, ok := n.value.(map[string]any)
		if !ok || n.schema["properties"] == nil {
			return
		}
		n.put(object)
		object["colour"] = "red"
		both("an unknown key", n, document)
		delete(object, "colour")
		for _, key := range asList(n.schema["required"]) {
			value := object[key.(string)]
			delete(object, key.(string))
			both("no "+key.(string), n, document)
			object[key.(string)] = value
		}
	})
	t.Logf("%d spoilt documents", tried)
}

// resolvedTypes are the types that a part of the schema allows.
func resolvedTypes(sub map[string]any) string {
	var names []string
	for _, kind := range asList(sub["type"]) {
		names = append(names, kind.(string))
	}
	return strings.Join(names, " ")
}
