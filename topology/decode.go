package topology

import (
	"fmt"
	"os"
	"reflect"
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
	d := &decoder{places: map[string]place{}, flaws: flaws{}}
	t := &Topology{}
	if len(src) > maxSource {
		d.report(place{1, 1}, "", fmt.Sprintf("the document has %d bytes, more than %d", len(src), maxSource), "")
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
