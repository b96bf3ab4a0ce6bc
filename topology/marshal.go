package topology

import (
	"fmt"
	"iter"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Marshal writes the topology as YAML that Parse reads back to an equal value, in the layout of the presets: one line for each
// datacenter, link, shard, zone and range. Comments of a file that it was read from are not part of the value, so they are lost.
// It returns Validate's error for a topology that is not valid.
//
// The layout is written by hand because the YAML library cannot hold it: it has no flow style for single values of an ordered mapping, and
// writes some strings bare, as keys even when told otherwise, that it reads back as numbers (1e3).
func (t *Topology) Marshal() ([]byte, error) {
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("marshal topology: %w", err)
	}
	return t.Draft(), nil
}

// Draft writes a topology that may not be valid yet, for people who complete it. It is like Marshal where the topology is valid.
func (t *Topology) Draft() []byte {
	return []byte(lines(reflect.ValueOf(t).Elem(), ""))
}

// lines writes the keys of a struct below each other.
func lines(from reflect.Value, indent string) string {
	text := ""
	for f, v := range shapes[from.Type()].stated(from) {
		text += indent + f.name + ":"
		switch {
		case !f.lines:
			text += " " + flow(v, f) + "\n"
		case v.Kind() == reflect.Pointer:
			text += below(v.Elem(), indent)
		default:
			text += "\n" + items(v, indent+"  ")
		}
	}
	return text
}

// items writes each item of a list, or entry of the mapping that stands for it, on a line of its own; those that have lines of their own begin them below it.
func items(list reflect.Value, indent string) string {
	key := keyed(list.Type())
	texts := make([]string, list.Len())
	for i := range texts {
		item := list.Index(i)
		if key == nil {
			texts[i] = indent + "- " + flow(item, nil) + "\n"
		} else {
			texts[i] = indent + word(item.Field(key.index).String()) + ":" + below(item, indent)
		}
	}
	return strings.Join(texts, "")
}

// below writes a value behind its key: below it, if parts of it have lines of their own.
func below(v reflect.Value, indent string) string {
	if !shapes[v.Type()].lines || unstated(v) {
		return " " + flow(v, nil) + "\n"
	}
	return "\n" + lines(v, indent+"  ")
}

// stated are the fields that a file has to state.
func (s *shape) stated(from reflect.Value) iter.Seq2[*field, reflect.Value] {
	return func(yield func(*field, reflect.Value) bool) {
		for _, f := range s.fields {
			v := from.Field(f.index)
			silent := v.Kind() == reflect.Slice && v.Len() == 0 || v.Kind() == reflect.Struct && unstated(v)
			silent = silent || v.Comparable() && v.Equal(s.blank.Field(f.index))
			if (f.always || !silent) && !yield(f, v) {
				return
			}
		}
	}
}

// unstated reports whether a file states nothing of a struct.
func unstated(v reflect.Value) bool {
	for range shapes[v.Type()].stated(v) {
		return false
	}
	return true
}

// flow writes a value on one line. The field is nil for items.
func flow(v reflect.Value, f *field) string {
	if form, own := forms[v.Type()]; own {
		return form.write(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return flow(v.Elem(), f)
	case reflect.Struct:
		s := shapes[v.Type()]
		if s.inline != nil {
			return flow(v.Field(s.inline.index), s.inline)
		}
		var parts []string
		for f, v := range s.stated(v) {
			parts = append(parts, f.name+": "+flow(v, f))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice:
		return flowList(v)
	case reflect.String:
		return word(v.String())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return number(v.Float())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool() != f.not)
	default:
		panic("a file holds no " + v.Type().String())
	}
}

func flowList(list reflect.Value) string {
	key := keyed(list.Type())
	items := make([]string, list.Len())
	for i := range items {
		items[i] = flow(list.Index(i), nil)
		if key != nil {
			items[i] = word(list.Index(i).Field(key.index).String()) + ": " + items[i]
		}
	}
	text := strings.Join(items, ", ")
	if key == nil {
		return "[" + text + "]"
	}
	return "{" + text + "}"
}

var (
	bareWord  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z][A-Za-z0-9_./-]*)*$`)
	otherType = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)
)

// word writes a string, in double quotes unless no YAML reader can mistake it for anything else.
func word(s string) string {
	if bareWord.MatchString(s) && !otherType.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
