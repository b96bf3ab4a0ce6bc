package topology

import (
	"cmp"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
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
	d := &decoder{places: map[string]place{"": {1, 1}}, flaws: flaws{}}
	t := &Topology{}
	if len(src) > maxSource {
		d.errorf(place{1, 1}, "", "", "the document has %d bytes, more than %d", len(src), maxSource)
	} else if root, ok := d.parseDocument(src); ok {
		root.object(reflect.ValueOf(t).Elem())
		defaultPriorities(t)
		if _, readable := root.node.(*ast.MappingNode); readable {
			d.problems = append(d.problems, d.located(check(t, d.flaws))...)
		}
	}
	for i := range d.problems {
		d.problems[i].File = name
	}
	// Those of one place stay in the order in which they were found.
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return t, d.problems
}

// located gives problems of rules the place of their path, or of the nearest path above it that the document has.
func (d *decoder) located(problems []Problem) []Problem {
	for i, p := range problems {
		path := p.Path
		for d.places[path] == (place{}) {
			path = parent(path)
		}
		problems[i].Line, problems[i].Column = d.places[path].line, d.places[path].column
	}
	return problems
}

// parent cuts the last step off a path.
func parent(path string) string {
	last := "."
	if strings.HasSuffix(path, "]") {
		last = "["
	}
	return path[:max(0, strings.LastIndex(path, last))]
}

// unstatedPriority marks a member whose priority waits for its default; checks never see it.
const unstatedPriority = -1

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
