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
	reflect.TypeFor[ByteRate]():        formOf(readRate, ByteRate.String),
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
	return form{
		func(v value, to reflect.Value) bool {
			v.named("one of "+strings.Join(names[1:], ", "), names[1:], to.Addr().Interface().(encoding.TextUnmarshaler))
			return true
		},
		func(from reflect.Value) string { return from.Interface().(fmt.Stringer).String() },
	}
}

// named reads a text that its type understands; of the empty one it makes nothing.
func (v value) named(want string, known []string, to encoding.TextUnmarshaler) {
	text := v.text(want)
	if text == "" {
		return
	}
	if err := to.UnmarshalText([]byte(text)); err != nil {
		v.report(err.Error(), spelling.Hint(text, known, ""))
	}
}

func readRate(v value, rate *ByteRate) bool {
	v.named("a rate such as 10MB/s", nil, rate)
	return true
}

// readDuration reads a time such as 76ms.
func readDuration(v value, to *time.Duration) bool {
	const what = "a duration such as 76ms"
	if _, ok := v.node.(*ast.StringNode); !ok {
		v.want(what)
		return true
	}
	text := v.text(what)
	d, err := time.ParseDuration(text)
	if err != nil {
		v.report(fmt.Sprintf("want %s, got %q", what, excerpt(text)), "")
	}
	*to = d
	return true
}

func readCoordinates(v value, to *Coordinates) bool {
	var degrees []float64
	v.items("latitude and longitude", func(v value) { degrees = append(degrees, v.number("degrees")) })
	if v.d.flaws[v.path] {
		return false
	}
	if len(degrees) != 2 {
		v.report(fmt.Sprintf("want latitude and longitude, got %d numbers", len(degrees)), "for London: [51.51, -0.13]")
		return false
	}
	*to = Coordinates{Lat: degrees[0], Long: degrees[1]}
	return true
}

func (c Coordinates) flow() string { return "[" + number(c.Lat) + ", " + number(c.Long) + "]" }

func readEnds(v value, to *[2]DatacenterID) bool {
	var ends []DatacenterID
	v.items("two datacenters", func(v value) { ends = append(ends, DatacenterID(v.text("a datacenter"))) })
	switch {
	case len(ends) == 2:
		*to = [2]DatacenterID(ends)
	case !v.d.flaws[v.path]:
		v.report(fmt.Sprintf("a link is between two datacenters, not %d", len(ends)), "")
	}
	return true
}

// readOrder reads how a key sorts a field.
func readOrder(v value, f *KeyField) bool {
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		if v.integer("1 or hashed") != 1 {
			v.report(fmt.Sprintf("want 1 or hashed, got %s", excerpt(n.GetToken().Value)), "shard keys ascend: write 1")
		}
	case *ast.StringNode:
		if f.Hashed = n.Value == "hashed"; !f.Hashed {
			v.report(fmt.Sprintf("want 1 or hashed, got %q", excerpt(n.Value)), spelling.Hint(n.Value, []string{"hashed"}, ""))
		}
	default:
		v.want("1 or hashed")
	}
	return true
}

var (
	// Dates are YAML's own: unquoted, and shaped like one. In quotes they are strings.
	dateShape = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([Tt ].*)?$`)
	// timestampTag makes a date of a string in quotes. The other two are our own: an identifier looks like a string or a number.
	timestampTag  = "!!timestamp"
	uuidTag       = "!uuid"
	objectIDTag   = "!oid"
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
			v.report(fmt.Sprintf("%s does not fit into 64 bits", excerpt(n.Value)), "put a string in quotes")
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
	switch n.Start.Value {
	case timestampTag:
		return readDate(v, text)
	case uuidTag:
		if uuidShape.MatchString(text) {
			return UUIDOf([16]byte(fromHex(text)))
		}
		v.report(fmt.Sprintf("%q is not a UUID", excerpt(text)), `write !uuid "01234567-89ab-cdef-0123-456789abcdef", with the quotes`)
	case objectIDTag:
		if objectIDShape.MatchString(text) {
			return ObjectIDOf([12]byte(fromHex(text)))
		}
		v.report(fmt.Sprintf("%q is not an ObjectID", excerpt(text)), `write !oid "0123456789abcdef01234567", with the quotes`)
	default:
		v.want("a string, a number or a date")
	}
	return Value{}
}

// fromHex reads digits that a shape has accepted.
func fromHex(text string) []byte {
	id, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil {
		panic(err)
	}
	return id
}

func readDate(v value, text string) Value {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if date, err := time.Parse(layout, text); err == nil {
			return DateOf(date)
		}
	}
	v.report(fmt.Sprintf("%s is not a date", excerpt(text)), "write 2026-01-31 or 2026-01-31T12:00:00Z, or put a string in quotes")
	return Value{}
}

// tagged writes dates with YAML's own tag and in quotes, because the library takes the colons of a bare time in a list for a mapping, and
// identifiers with a tag of ours.
func (v Value) tagged() string {
	switch v.kind {
	case KindDate:
		return timestampTag + " " + strconv.Quote(v.String())
	case KindUUID:
		return uuidTag + " " + strconv.Quote(v.String())
	case KindObjectID:
		return objectIDTag + " " + strconv.Quote(v.String())
	default:
		return v.String()
	}
}
