package topology

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxSource bounds a document: large ranges make it long, a file that is none of ours makes it longer.
const maxSource = 1 << 20

// Parse decodes and validates a document; name is its file name for messages. The error is an *Errors with every problem of the
// document. Parse does not tell warnings; Check does.
func Parse(name string, src []byte) (*Topology, error) {
	t, problems := Check(name, src)
	if err := asError(problems); err != nil {
		return nil, err
	}
	return t, nil
}

// Load reads a file and parses it. Its errors are those of os.ReadFile and Parse.
func Load(path string) (*Topology, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load topology: %w", err)
	}
	return Parse(path, src)
}

// Check decodes and validates a document, and returns all its problems: errors and warnings, in the order of the file. Where one of
// them is an error, the topology is what could be understood, and not valid.
func Check(name string, src []byte) (*Topology, []Problem) {
	d := &decoder{places: map[string]place{}, flaws: flaws{}}
	t := &Topology{}
	if len(src) > maxSource {
		d.report(place{1, 1}, "", fmt.Sprintf("the document has %d bytes, more than %d", len(src), maxSource), "")
	} else if root, ok := d.parseDocument(src); ok {
		d.topology(root, t)
		if _, readable := root.node.(*ast.MappingNode); readable {
			d.problems = append(d.problems, d.located(check(t, d.flaws))...)
		}
	}
	for i := range d.problems {
		d.problems[i].File = name
	}
	sortByPlace(d.problems)
	return t, d.problems
}

// located gives problems of rules the place of their path, or of the nearest path above it that the document has.
func (d *decoder) located(problems []Problem) []Problem {
	for i, p := range problems {
		at := place{1, 1}
		for path := p.Path; path != ""; path = parent(path) {
			if found, ok := d.places[path]; ok {
				at = found
				break
			}
		}
		problems[i].Line, problems[i].Column = at.line, at.column
	}
	return problems
}

// parent cuts the last step off a path.
func parent(path string) string {
	if !strings.HasSuffix(path, "]") {
		return path[:max(0, strings.LastIndex(path, "."))]
	}
	return path[:max(0, strings.LastIndex(path, "["))]
}

func (d *decoder) topology(root value, t *Topology) {
	root.object(
		field{"version", true, func(v value) { t.Version = int(v.integer("the number 1")) }},
		field{"datacenters", true, func(v value) {
			v.entries("a mapping of datacenters", func(id string, v value) {
				t.Datacenters = append(t.Datacenters, readDatacenter(DatacenterID(id), v))
			})
		}},
		field{"links", false, func(v value) {
			v.items("links", func(v value) { t.Links = append(t.Links, readLink(v)) })
		}},
		field{"shards", true, func(v value) {
			v.entries("a mapping of shards", func(id string, v value) {
				t.Shards = append(t.Shards, readShard(ShardID(id), v, t))
			})
		}},
		field{"zones", false, func(v value) {
			v.entries("a mapping of zones", func(id string, v value) {
				t.Zones = append(t.Zones, readZone(ZoneID(id), v))
			})
		}},
		field{"namespaces", false, func(v value) {
			v.entries("a mapping of namespaces", func(name string, v value) {
				t.Namespaces = append(t.Namespaces, readNamespace(name, v))
			})
		}},
		field{"survive", false, func(v value) { v.enum(&t.Survive, survivalNames) }},
		field{"router", false, func(v value) { t.Router = readRouter(v) }},
	)
	defaultPriorities(t)
}

func readDatacenter(id DatacenterID, v value) Datacenter {
	dc := Datacenter{ID: id, Role: RoleActive}
	v.object(
		field{"name", false, func(v value) { dc.Name = v.text("a name") }},
		field{"at", false, func(v value) { dc.At = readCoordinates(v) }},
		field{"countries", false, func(v value) { dc.Countries = texts[string](v, "country codes", "a country code such as GB") }},
		field{"endpoint", false, func(v value) { dc.Endpoint = v.text("a URL such as http://127.0.0.1:8081") }},
		field{"role", false, func(v value) { v.enum(&dc.Role, roleNames) }},
	)
	return dc
}

func readCoordinates(v value) *Coordinates {
	var degrees []float64
	v.items("latitude and longitude", func(v value) { degrees = append(degrees, v.number("degrees")) })
	if v.d.flaws[v.path] {
		return nil
	}
	if len(degrees) != 2 {
		v.report(fmt.Sprintf("want latitude and longitude, got %d numbers", len(degrees)), "for London: [51.51, -0.13]")
		return nil
	}
	return &Coordinates{Lat: degrees[0], Long: degrees[1]}
}

func readLink(v value) Link {
	var link Link
	v.object(
		field{"between", true, func(v value) {
			ends := texts[DatacenterID](v, "two datacenters", "a datacenter")
			switch {
			case len(ends) == 2:
				link.Between = [2]DatacenterID(ends)
			case !v.d.flaws[v.path]:
				v.report(fmt.Sprintf("a link is between two datacenters, not %d", len(ends)), "")
			}
		}},
		field{"rtt", true, func(v value) { link.RTT = v.duration() }},
		field{"jitter", false, func(v value) { link.Jitter = v.duration() }},
		field{"bandwidth", false, func(v value) {
			text := v.text("a rate such as 10MB/s")
			if text == "" {
				return
			}
			if err := link.Bandwidth.UnmarshalText([]byte(text)); err != nil {
				v.report(err.Error(), "")
			}
		}},
	)
	return link
}

// unstatedPriority marks a member whose priority waits for its default; checks never see it.
const unstatedPriority = -1

func readShard(id ShardID, v value, t *Topology) Shard {
	shard := Shard{ID: id}
	v.object(field{"members", true, func(v value) {
		v.items("members", func(v value) {
			member := Member{Priority: unstatedPriority}
			v.object(
				field{"dc", true, func(v value) { member.DC = DatacenterID(v.text("a datacenter")) }},
				field{"priority", false, func(v value) {
					member.Priority = v.number("a priority from 0 to 1000")
					if member.Priority < 0 {
						v.report(fmt.Sprintf("priority %v is below 0", member.Priority), "0 to 1000; 0 never becomes primary")
						member.Priority = 0
					}
				}},
			)
			shard.Members = append(shard.Members, member)
		})
	}})
	return shard
}

// defaultPriorities gives MongoDB's default, 1, to members that state none, and 0 to arbiters. It runs last because shards may come
// before the datacenters in the file.
func defaultPriorities(t *Topology) {
	for _, shard := range t.Shards {
		for i, m := range shard.Members {
			if m.Priority != unstatedPriority {
				continue
			}
			shard.Members[i].Priority = 1
			if t.Arbiter(m) {
				shard.Members[i].Priority = 0
			}
		}
	}
}

func readZone(id ZoneID, v value) Zone {
	zone := Zone{ID: id}
	v.object(
		field{"shards", true, func(v value) { zone.Shards = texts[ShardID](v, "shards", "a shard") }},
		field{"allowedDatacenters", false, func(v value) {
			zone.AllowedDatacenters = texts[DatacenterID](v, "datacenters", "a datacenter")
		}},
	)
	return zone
}

func readNamespace(name string, v value) Namespace {
	ns := Namespace{Name: name, Unknown: UnknownReport}
	v.object(
		field{"key", true, func(v value) { ns.Key = readKey(v) }},
		field{"zoneBy", true, func(v value) { ns.ZoneBy = v.text("a field of the key") }},
		field{"unknown", false, func(v value) { v.enum(&ns.Unknown, unknownNames) }},
		field{"unknownZone", false, func(v value) { ns.UnknownZone = ZoneID(v.text("a zone")) }},
		field{"onlyRanges", false, func(v value) { ns.OnlyRanges = v.boolean() }},
		field{"ranges", false, func(v value) {
			v.items("ranges", func(v value) { ns.Ranges = append(ns.Ranges, readRange(v)) })
		}},
		field{"related", false, func(v value) {
			v.items("related namespaces", func(v value) { ns.Related = append(ns.Related, readRelated(v)) })
		}},
	)
	return ns
}

func readRelated(v value) Related {
	var r Related
	v.object(
		field{"namespace", true, func(v value) { r.Namespace = v.text("a namespace") }},
		field{"by", true, func(v value) { r.By = v.text("a field of both namespaces") }},
	)
	return r
}

func readKey(v value) Key {
	var key Key
	v.entries("a mapping of fields, such as {dataCenter: 1, cartId: 1}", func(name string, v value) {
		f := KeyField{Name: name}
		switch n := v.node.(type) {
		case *ast.IntegerNode:
			if v.integer("1 or hashed") != 1 {
				v.report(fmt.Sprintf("want 1 or hashed, got %s", excerpt(n.GetToken().Value)), "shard keys ascend: write 1")
			}
		case *ast.StringNode:
			if f.Hashed = n.Value == "hashed"; !f.Hashed {
				v.report(fmt.Sprintf("want 1 or hashed, got %q", excerpt(n.Value)), didYouMeanOnly(n.Value, []string{"hashed"}))
			}
		default:
			v.want("1 or hashed")
		}
		key = append(key, f)
	})
	return key
}

func readRange(v value) Range {
	var r Range
	bound := func(to **Value) func(value) {
		return func(v value) {
			if read, ok := readValue(v); ok {
				*to = &read
			}
		}
	}
	v.object(
		field{"zone", true, func(v value) { r.Zone = ZoneID(v.text("a zone")) }},
		field{"values", false, func(v value) {
			v.items("values", func(v value) {
				if read, ok := readValue(v); ok {
					r.Values = append(r.Values, read)
				}
			})
		}},
		field{"from", false, bound(&r.From)},
		field{"to", false, bound(&r.To)},
	)
	return r
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
func readValue(v value) (Value, bool) {
	before := len(v.d.problems)
	var read Value
	switch n := v.node.(type) {
	case *ast.IntegerNode:
		read = IntegerOf(v.integer("an integer of 64 bits"))
	case *ast.FloatNode:
		read = FloatOf(v.number("a finite number"))
	case *ast.StringNode:
		bare := n.Token.Type == token.StringType
		switch {
		case bare && dateShape.MatchString(n.Value):
			read = readDate(v, n.Value)
		case bare && numberShape.MatchString(n.Value):
			v.report(fmt.Sprintf("%s does not fit into 64 bits", excerpt(n.Value)), "put a string in quotes")
		default:
			read = StringOf(n.Value)
		}
	case *ast.TagNode:
		read = readTagged(v, n)
	default:
		v.want("a string, a number or a date")
	}
	return read, len(v.d.problems) == before
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
