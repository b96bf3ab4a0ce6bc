package topology

import (
	"fmt"
	"reflect"
	"strings"
)

// The format of the file is in the tags of the types, for the one walk that reads a document and the one that writes it:
//
//	file:"name,options"  the key of the field. Options:
//	                       required  the key has to be there
//	                       always    the key is written even where its value is what a file without it means
//	                       lines     the field is written on lines of its own, not on its parent's
//	                       not       the file says the opposite of the field
//	                       natural   the number is not below 0; else hint says what it may be
//	file:",key"          the key above the value, where a list of Go is a mapping of the file
//	file:",inline"       the value itself
//	want, item           what the value, and each item of a list, should be
//	empty, hint          what an empty list would mean, and what to write instead
//	positive             what 0 or less would mean

// A field is one known key of a mapping.
type field struct {
	name  string
	index int
	options
	want, empty, hint, positive string
	item                        *field
}

type options struct{ key, inline, required, always, lines, not, natural bool }

// A shape is what the tags of a type say.
type shape struct {
	fields []*field
	names  []string
	// key and inline are nil for a type without such a field.
	key, inline *field
	// lines says that a part of it has lines of its own.
	lines bool
	// blank is what a value is before its keys are read.
	blank reflect.Value
}

// blanks are what a file means that states nothing, where it is not the zero value.
var blanks = []any{Datacenter{Role: RoleActive}, Member{Priority: unstatedPriority}, Namespace{Unknown: UnknownReport}}

// shapes are those of all types that a file consists of.
var shapes = func() map[reflect.Type]*shape {
	all := map[reflect.Type]*shape{}
	collectShapes(reflect.TypeFor[Topology](), all)
	for _, blank := range blanks {
		all[reflect.TypeOf(blank)].blank = reflect.ValueOf(blank)
	}
	return all
}()

func collectShapes(t reflect.Type, all map[reflect.Type]*shape) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	s := &shape{blank: reflect.Zero(t)}
	for i := range t.NumField() {
		part := t.Field(i)
		tag, told := part.Tag.Lookup("file")
		if !told {
			continue
		}
		f := newField(tag, part.Tag, i)
		switch {
		case f.key:
			s.key = f
		case f.inline:
			s.inline = f
		default:
			s.fields = append(s.fields, f)
			s.names = append(s.names, f.name)
			s.lines = s.lines || f.lines
		}
		collectShapes(part.Type, all)
	}
	all[t] = s
}

func newField(file string, tag reflect.StructTag, index int) *field {
	name, list, _ := strings.Cut(file, ",")
	f := &field{
		name: name, index: index, want: tag.Get("want"), empty: tag.Get("empty"), hint: tag.Get("hint"), positive: tag.Get("positive"),
		item: &field{want: tag.Get("item")},
	}
	known := map[string]*bool{
		"key": &f.key, "inline": &f.inline, "required": &f.required, "always": &f.always, "lines": &f.lines, "not": &f.not, "natural": &f.natural,
	}
	for option := range strings.SplitSeq(list, ",") {
		if to := known[option]; to != nil {
			*to = true
		} else if option != "" {
			panic(fmt.Sprintf("the tag file:%q has an option that is not known", file))
		}
	}
	return f
}

// keyed is the field that holds the keys where a list of such items is a mapping of the file; nil where it is a list.
func keyed(list reflect.Type) *field {
	if s := shapes[list.Elem()]; s != nil {
		return s.key
	}
	return nil
}

// fresh is a value before it is read.
func fresh(t reflect.Type) reflect.Value {
	to := reflect.New(t).Elem()
	if s := shapes[t]; s != nil {
		to.Set(s.blank)
	}
	return to
}
