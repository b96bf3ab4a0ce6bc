package topology

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The library's own strict mode stops at the first unknown key. This decoder walks the library's syntax tree instead, so that one
// run reports everything, and remembers the place of each path for the rules that look at the whole.

// A place is a position in the source; both count from 1.
type place struct{ line, column int }

// A decoder collects problems and places.
type decoder struct {
	problems []Problem
	places   map[string]place
	flaws    flaws
}

func (d *decoder) errorf(at place, path, suggestion, format string, args ...any) {
	d.flaws.mark(path)
	d.problems = append(d.problems, Problem{
		Severity: SeverityError, Line: at.line, Column: at.column, Path: path, Msg: fmt.Sprintf(format, args...), Hint: suggestion,
	})
}

// A value is one node of the document and its path. A nil node stands for a key without a value.
type value struct {
	d    *decoder
	node ast.Node
	path string
	at   place
}

// parseDocument returns the root of the only document of src; on a syntax error it reports and returns false.
func (d *decoder) parseDocument(src []byte) (value, bool) {
	start := place{1, 1}
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey()) // duplicates are reported with the rest
	switch {
	case err != nil:
		msg := err.Error()
		if syntax := yaml.Error(nil); errors.As(err, &syntax) {
			msg, start = syntax.GetMessage(), placeOf(syntax.GetToken())
		}
		d.errorf(start, "", "", "read YAML: %s", msg)
	case len(file.Docs) > 1 && file.Docs[1].Body != nil:
		d.errorf(placeOf(file.Docs[1].Body.GetToken()), "", "keep one document in a file", "a second document begins")
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		d.errorf(start, "", "begin with a preset: geoshard init --preset nyc-lon-syd", "the document is empty")
	default:
		return value{d: d, node: file.Docs[0].Body, at: start}, true
	}
	return value{}, false
}

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{1, 1}
	}
	return place{tk.Position.Line, tk.Position.Column}
}

// errorf adds a problem at the value.
func (v value) errorf(suggestion, format string, args ...any) {
	v.d.errorf(v.at, v.path, suggestion, format, args...)
}

// want reports that the value has another type.
func (v value) want(what string) {
	got := "nothing"
	switch n := v.node.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		v.errorf("write the value out", "anchors and aliases are not supported")
		return
	case *ast.TagNode:
		v.errorf("leave out "+excerpt(n.GetToken().Value), "YAML tags are not supported")
		return
	case nil, *ast.NullNode:
	case *ast.MappingNode:
		got = "a mapping"
	case *ast.SequenceNode:
		got = "a list"
	default:
		got = scalar(n)
	}
	v.errorf("", "want %s, got %s", what, got)
}

// longestExcerpt is how many characters of the document a message shows: a name in full, but not a whole file that was taken for one.
const longestExcerpt = 40

// excerpt is what a message shows of a text from the document.
func excerpt(text string) string {
	runes := 0
	for i := range text {
		if runes == longestExcerpt {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}

// scalar names the type of a single value, and the value.
func scalar(n ast.Node) string {
	kind := strings.ToLower(n.Type().YAMLName())
	if n.Type() == ast.IntegerType {
		kind = KindInteger.String()
	}
	return kind + " " + excerpt(n.GetToken().Value)
}

// child makes the value below a key or an index, and remembers its place.
func (v value) child(step string, node ast.Node, at place) value {
	path := v.below(step)
	if _, seen := v.d.places[path]; !seen {
		v.d.places[path] = at
	}
	return value{d: v.d, node: node, path: path, at: at}
}

// below is the path of a child.
func (v value) below(step string) string {
	if v.path == "" {
		return strings.TrimPrefix(step, ".")
	}
	return v.path + step
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// step is the piece that a key adds to a path.
func step[S ~string](key S) string {
	if plainKey.MatchString(string(key)) {
		return "." + string(key)
	}
	return "[" + strconv.Quote(string(key)) + "]"
}

// at is the path of an item of a list.
func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// entries calls each for every key of a mapping, in order, and reports keys that are no strings or come twice.
func (v value) entries(what string, each func(key string, val value)) {
	mapping, ok := v.node.(*ast.MappingNode)
	if !ok {
		v.want(what)
		return
	}
	seen := map[string]bool{}
	for _, entry := range mapping.Values {
		at := placeOf(entry.Key.GetToken())
		name, ok := entry.Key.(*ast.StringNode)
		if !ok {
			v.d.errorf(at, v.path, "put it in quotes", "key %s is not a string", excerpt(entry.Key.GetToken().Value))
			continue
		}
		child := v.child(step(name.Value), entry.Value, at)
		if seen[name.Value] {
			child.errorf("keep one of them", "the key comes twice")
			continue
		}
		seen[name.Value] = true
		each(name.Value, child)
	}
}

// read reads the value into to, by the form of its type, by its tags or by its kind, and says whether to is what the file says.
func (v value) read(to reflect.Value, f *field) bool {
	ok := true
	if form, own := forms[to.Type()]; own {
		ok = form.read(v, to)
	} else {
		v.readKind(to, f)
	}
	if f.positive != "" && to.Int() <= 0 && !v.d.flaws[v.path] {
		v.errorf("", "want more than 0: %s", f.positive)
	}
	if f.empty != "" && to.Len() == 0 && !v.d.flaws[v.path] {
		v.errorf(f.hint, "%s", f.empty)
	}
	return ok
}

func (v value) readKind(to reflect.Value, f *field) {
	switch to.Kind() {
	case reflect.Pointer:
		if pointed := fresh(to.Type().Elem()); v.read(pointed, f) {
			to.Set(pointed.Addr())
		}
	case reflect.Struct:
		if inline := shapes[to.Type()].inline; inline != nil {
			v.read(to.Field(inline.index), inline)
		} else {
			v.object(to)
		}
	case reflect.Slice:
		v.list(to, f)
	case reflect.String:
		to.SetString(v.text(f.want))
	case reflect.Int:
		to.SetInt(v.integer(f.want))
	case reflect.Bool:
		to.SetBool(v.boolean() != f.not)
	case reflect.Float64:
		n := v.number(f.want)
		if f.natural && n < 0 {
			v.errorf(f.hint, "%s %v is below 0", f.name, n)
			n = 0
		}
		to.SetFloat(n)
	default:
		panic("a file holds no " + to.Type().String())
	}
}

// list reads a list, or the mapping that stands for one.
func (v value) list(to reflect.Value, f *field) {
	keys, each := keyed(to.Type()), v.items
	if keys != nil {
		each = v.entries
	}
	each(f.want, func(key string, v value) {
		read := fresh(to.Type().Elem())
		if keys != nil {
			read.Field(keys.index).SetString(key)
		}
		if v.read(read, f.item) {
			to.Set(reflect.Append(to, read))
		}
	})
}

// object reads a mapping with known keys into a struct.
func (v value) object(to reflect.Value) {
	s := shapes[to.Type()]
	excused := map[string]bool{} // present, or reported as misspelt
	v.entries("a mapping with the keys "+strings.Join(s.names, ", "), func(key string, val value) {
		excused[key] = true
		if i := slices.Index(s.names, key); i >= 0 {
			val.read(to.Field(s.fields[i].index), s.fields[i])
			return
		}
		if meant := spelling.Nearest(key, s.names); meant != "" {
			excused[meant] = true
			v.d.flaws.mark(v.below("." + meant))
		}
		val.errorf(didYouMean(key, s.names), "unknown key %q", excerpt(key))
	})
	if _, ok := v.node.(*ast.MappingNode); !ok {
		return
	}
	for _, f := range s.fields {
		if f.required && !excused[f.name] {
			v.d.errorf(v.at, v.below("."+f.name), "", "the key is missing")
		}
	}
}

// items calls each for every item of a list, which has no key.
func (v value) items(what string, each func(key string, val value)) {
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.want("a list of " + what)
		return
	}
	for i, item := range list.Values {
		begin := v.at
		if item != nil {
			begin = startOf(item)
		}
		each("", v.child(at("", i), item, begin))
	}
}

// startOf is the place of a node's first token: for a mapping in block style, of its first key and not of the colon.
func startOf(node ast.Node) place {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		return placeOf(m.Values[0].Key.GetToken())
	}
	return placeOf(node.GetToken())
}

// text reads a string.
func (v value) text(what string) string {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		v.errorf("put it in quotes", "want %s, got %s", what, scalar(n))
	default:
		v.want(what)
	}
	return ""
}

// number reads a finite number.
func (v value) number(what string) float64 {
	switch n := v.node.(type) {
	case *ast.FloatNode:
		if !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value) {
			return n.Value
		}
	case *ast.IntegerNode:
		switch i := n.Value.(type) {
		case int64:
			return float64(i)
		case uint64:
			return float64(i)
		}
	}
	v.want(what)
	return 0
}

// boolean reads true or false.
func (v value) boolean() bool {
	n, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.want("true or false")
		return false
	}
	return n.Value
}

// integer reads an integer of 64 bits.
func (v value) integer(what string) int64 {
	if n, ok := v.node.(*ast.IntegerNode); ok {
		switch i := n.Value.(type) {
		case int64:
			return i
		case uint64:
			if i <= math.MaxInt64 {
				return int64(i)
			}
		}
	}
	v.want(what)
	return 0
}
