package topology

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/geoshard/geoshard/internal/spelling"
)

// A form is how values of one type are read and written, where it is not what their kind or their tags say. Read says whether it could.
type form struct {
	read  func(v value, to reflect.Value) bool
	write func(from reflect.Value) string
}

// forms are those of the types that have their own.
var forms = map[reflect.Type]form{
	reflect.TypeFor[Role]():            enumForm(roleNames),
	reflect.TypeFor[Survival]():        enumForm(survivalNames),
	reflect.TypeFor[Unknown]():         enumForm(unknownNames),
	reflect.TypeFor[HandlePlace]():     enumForm(handleNames),
	reflect.TypeFor[RouteClass]():      enumForm(classNames),
	reflect.TypeFor[RouteMode]():       enumForm(routeModeNames),
	reflect.TypeFor[time.Duration]():   formOf(readDuration, time.Duration.String),
	reflect.TypeFor[ByteRate]():        textForm("a rate such as 10MB/s", nil),
	reflect.TypeFor[Coordinates]():     formOf(readCoordinates, Coordinates.flow),
	reflect.TypeFor[[2]DatacenterID](): formOf(readEnds, func(e [2]DatacenterID) string { return "[" + word(string(e[0])) + ", " + word(string(e[1])) + "]" }),
	reflect.TypeFor[KeyField]():        formOf(readOrder, KeyField.order),
	reflect.TypeFor[Value]():           formOf(readValue, Value.tagged),
}

func formOf[T any](read func(value, *T) bool, write func(T) string) form {
	return form{
		func(v value, to reflect.Value) bool { return read(v, to.Addr().Interface().(*T)) },
		func(from reflect.Value) string { return write(from.Interface().(T)) },
	}
}

// enumForm is a word of a table.
func enumForm(names []string) form {
	return textForm("one of "+strings.Join(names[1:], ", "), names[1:])
}

// textForm is a text that the type itself reads and writes; of the empty one it makes nothing.
func textForm(want string, known []string) form {
	return form{
		func(v value, to reflect.Value) bool {
			if text := v.text(want); text != "" {
				if err := to.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
					v.errorf(spelling.Hint(text, known, ""), "%s", err)
				}
			}
			return true
		},
		func(from reflect.Value) string { return from.Interface().(fmt.Stringer).String() },
	}
}

// readDuration reads a time such as 76ms.
func readDuration(v value, to *time.Duration) bool {
	const what = "a duration such as 76ms"
	text, ok := v.node.(*ast.StringNode)
	if !ok {
		v.want(what)
		return true
	}
	d, err := time.ParseDuration(text.Value)
	if err != nil {
		v.errorf("", "want %s, got %q", what, excerpt(text.Value))
	}
	*to = d
	return true
}

func readCoordinates(v value, to *Coordinates) bool {
	var degrees []float64
	v.items("latitude and longitude", func(_ string, v value) { degrees = append(degrees, v.number("degrees")) })
	if v.d.flaws[v.path] {
		return false
	}
	if len(degrees) != 2 {
		v.errorf("for London: [51.51, -0.13]", "want latitude and longitude, got %d numbers", len(degrees))
		return false
	}
	*to = Coordinates{Lat: degrees[0], Long: degrees[1]}
	return true
}

func (c Coordinates) flow() string { return "[" + number(c.Lat) + ", " + number(c.Long) + "]" }

func readEnds(v value, to *[2]DatacenterID) bool {
	var ends []DatacenterID
	v.items("two datacenters", func(_ string, v value) { ends = append(ends, DatacenterID(v.text("a datacenter"))) })
	switch {
	case len(ends) == 2:
		*to = [2]DatacenterID(ends)
	case !v.d.flaws[v.path]:
		v.errorf("", "a link is between two datacenters, not %d", len(ends))
	}
	return true
}

// readOrder reads how a key sorts a field.
func readOrder(v value, f *KeyField) bool {
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		if v.integer("1 or hashed") != 1 {
			v.errorf("shard keys ascend: write 1", "want 1 or hashed, got %s", excerpt(n.GetToken().Value))
		}
	case *ast.StringNode:
		if f.Hashed = n.Value == "hashed"; !f.Hashed {
			v.errorf(spelling.Hint(n.Value, []string{"hashed"}, ""), "want 1 or hashed, got %q", excerpt(n.Value))
		}
	default:
		v.want("1 or hashed")
	}
	return true
}

var (
	// Dates are YAML's own: unquoted, and shaped like one. In quotes they are strings.
	dateShape = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([Tt ].*)?$`)
	// The first of the tags makes a date of a string in quotes. The other two are our own: an identifier looks like a string or a number.
	tags          = map[Kind]string{KindDate: "!!timestamp", KindUUID: "!uuid", KindObjectID: "!oid"}
	uuidShape     = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	objectIDShape = regexp.MustCompile(`^(?i)[0-9a-f]{24}$`)
	// The library takes numbers that it cannot hold for strings.
	numberShape = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)
)

// readValue reads a string, an integer, a float, a date, a UUID or an ObjectID.
func readValue(v value, read *Value) bool {
	before := len(v.d.problems)
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		*read = IntegerOf(v.integer("an integer of 64 bits"))
	case *ast.FloatNode:
		*read = FloatOf(v.number("a finite number"))
	case *ast.StringNode:
		bare := n.Token.Type == token.StringType
		switch {
		case bare && dateShape.MatchString(n.Value):
			*read = readDate(v, n.Value)
		case bare && numberShape.MatchString(n.Value):
			v.errorf("put a string in quotes", "%s does not fit into 64 bits", excerpt(n.Value))
		default:
			*read = StringOf(n.Value)
		}
	case *ast.TagNode:
		*read = readTagged(v, n)
	default:
		v.want("a string, a number or a date")
	}
	return len(v.d.problems) == before
}

// readTagged reads what looks like a string or a number, and is none: its tag says so.
func readTagged(v value, n *ast.TagNode) Value {
	var text string
	if quoted, ok := n.Value.(*ast.StringNode); ok {
		text = quoted.Value
	}
	id, _ := hex.DecodeString(strings.ReplaceAll(text, "-", "")) // no error for what has one of the shapes
	switch n.Start.Value {
	case tags[KindDate]:
		return readDate(v, text)
	case tags[KindUUID]:
		if uuidShape.MatchString(text) {
			return UUIDOf([16]byte(id))
		}
		v.errorf(`write !uuid "01234567-89ab-cdef-0123-456789abcdef", with the quotes`, "%q is not a UUID", excerpt(text))
	case tags[KindObjectID]:
		if objectIDShape.MatchString(text) {
			return ObjectIDOf([12]byte(id))
		}
		v.errorf(`write !oid "0123456789abcdef01234567", with the quotes`, "%q is not an ObjectID", excerpt(text))
	default:
		v.want("a string, a number or a date")
	}
	return Value{}
}

func readDate(v value, text string) Value {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if date, err := time.Parse(layout, text); err == nil {
			return DateOf(date)
		}
	}
	v.errorf("write 2026-01-31 or 2026-01-31T12:00:00Z, or put a string in quotes", "%s is not a date", excerpt(text))
	return Value{}
}

// tagged writes dates with YAML's own tag and in quotes, because the library takes the colons of a bare time in a list for a mapping, and
// identifiers with a tag of ours.
func (v Value) tagged() string {
	if tag, ok := tags[v.kind]; ok {
		return tag + " " + strconv.Quote(v.String())
	}
	return v.String()
}
