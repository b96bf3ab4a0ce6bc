package reference

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// Schema writes the page of a JSON Schema: a table of keys for each object, in the order of the schema.
func Schema(name, title string, schema []byte) (Page, error) {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(schema, &root, yaml.UseOrderedMap()); err != nil { // JSON is YAML, and this library keeps the order of keys
		return Page{}, fmt.Errorf("read schema: %w", err)
	}
	s := schemaWriter{root: root}
	s.WriteString(made("the schema of "+title) + "# " + title + "\n\n" + prose(text(root, "description")) + "\n")
	s.object("", root)
	return Page{Name: name, Text: s.String()}, nil
}

type schemaWriter struct {
	strings.Builder
	root yaml.MapSlice
}

// object writes the table of an object's keys, and below it those of the objects that its keys hold.
func (s *schemaWriter) object(path string, object yaml.MapSlice) {
	heading := "Top"
	if path != "" {
		heading = code(path)
	}
	fmt.Fprintf(s, "\n## %s\n\n| key | value | what |\n|---|---|---|\n", heading)
	required := fmt.Sprint(get(object, "required"))
	required = " " + strings.Trim(required, "[]") + " "
	properties := mapping(object, "properties")
	for _, item := range properties {
		key, sub := item.Key.(string), item.Value.(yaml.MapSlice)
		kind := s.kind(sub)
		if fallback := get(sub, "default"); fallback != nil {
			kind += fmt.Sprintf("; default `%v`", fallback)
		}
		name := code(key)
		if strings.Contains(required, " "+key+" ") {
			name += " (required)"
		}
		fmt.Fprintf(s, "| %s | %s | %s |\n", name, kind, cell(text(sub, "description")))
	}
	for _, item := range properties {
		if below, step := s.inner(item.Value.(yaml.MapSlice)); below != nil {
			s.object(strings.TrimPrefix(path+"."+item.Key.(string)+step, "."), below)
		}
	}
}

// inner is the object that a key holds, directly, in a list or by name, and the step that leads to it.
func (s *schemaWriter) inner(sub yaml.MapSlice) (yaml.MapSlice, string) {
	sub = s.resolve(sub)
	if mapping(sub, "properties") != nil {
		return sub, ""
	}
	for key, step := range map[string]string{"items": "[]", "additionalProperties": ".NAME"} {
		if item := mapping(sub, key); item != nil {
			if item = s.resolve(item); mapping(item, "properties") != nil {
				return item, step
			}
		}
	}
	return nil, ""
}

// kind says in words what a value is.
func (s *schemaWriter) kind(sub yaml.MapSlice) string {
	ref := referenceOf(sub)
	sub = s.resolve(sub)
	if words, ok := get(sub, "enum").([]any); ok {
		names := make([]string, len(words))
		for i, w := range words {
			names[i] = fmt.Sprintf("`%v`", w)
		}
		return strings.Join(names, ", ")
	}
	if constant := get(sub, "const"); constant != nil {
		return fmt.Sprintf("`%v`", constant)
	}
	switch ref {
	case "duration":
		return "duration, such as `76ms`"
	case "value":
		return "string, number, date or identifier"
	}
	switch kind := text(sub, "type"); kind {
	case "array":
		if item := mapping(sub, "items"); item != nil {
			return "list of " + s.plural(item)
		}
		return "list"
	case "object":
		if item := mapping(sub, "additionalProperties"); item != nil {
			return "names to " + s.plural(item)
		}
		return "mapping"
	default:
		return kind
	}
}

// plural says what the items of a list are.
func (s *schemaWriter) plural(item yaml.MapSlice) string {
	if _, step := s.inner(item); step == "" && mapping(s.resolve(item), "properties") != nil {
		return "mappings, below"
	}
	kind := s.kind(item)
	if kind == "string" || kind == "number" {
		kind += "s"
	}
	return kind
}

// resolve follows a reference.
func (s *schemaWriter) resolve(sub yaml.MapSlice) yaml.MapSlice {
	if ref := referenceOf(sub); ref != "" {
		return mapping(mapping(s.root, "definitions"), ref)
	}
	return sub
}

// referenceOf is the definition that a part refers to, or "".
func referenceOf(sub yaml.MapSlice) string {
	if all, ok := get(sub, "allOf").([]any); ok {
		sub, _ = all[0].(yaml.MapSlice)
	}
	return strings.TrimPrefix(text(sub, "$ref"), "#/definitions/")
}

func get(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

func text(m yaml.MapSlice, key string) string { s, _ := get(m, key).(string); return s }

func mapping(m yaml.MapSlice, key string) yaml.MapSlice {
	sub, _ := get(m, key).(yaml.MapSlice)
	return sub
}
