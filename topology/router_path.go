package topology

import (
	"fmt"
	"regexp"
	"strings"
)

// A Segment is a part of a route's path between slashes.
type Segment struct {
	// Text is the part itself, or the name of a wildcard.
	Text string
	// Wild segments match any one segment that is not empty: {name}.
	Wild bool
	// Rest segments stand at the end and match what follows, nothing included: {name...}.
	Rest bool
}

// The wildcards that mean something to the router; others are names for people.
const (
	// WildHandle is a record's handle, or its bare identifier.
	WildHandle = "handle"
	// WildHome is a record's home: a value of the namespace's ZoneBy field.
	WildHome = "home"
)

var wildcard = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}$`)

// ParsePath splits the pattern of a route in net/http's syntax, without its methods, hosts and {$}: segments are literal, {name}, or {name...} at the end.
// A pattern matches whole paths: /v1/carts does not match /v1/carts/.
func ParsePath(pattern string) ([]Segment, error) {
	if !strings.HasPrefix(pattern, "/") || !printable(pattern) {
		return nil, fmt.Errorf("path %q does not begin with /", excerpt(pattern))
	}
	if strings.ContainsAny(pattern, "?#% ") {
		return nil, fmt.Errorf("path %q: want it without query, fragment, space and percent signs", excerpt(pattern))
	}
	var segments []Segment
	parts := strings.Split(pattern[1:], "/")
	seen := map[string]bool{}
	for i, part := range parts {
		s, err := parseSegment(part)
		switch {
		case err != nil:
			return nil, fmt.Errorf("path %q: %w", excerpt(pattern), err)
		case s.Rest && i < len(parts)-1:
			return nil, fmt.Errorf("path %q: {%s...} matches all that follows and has to come last", excerpt(pattern), s.Text)
		case s.Text == "" && i < len(parts)-1, s.Text == "." || s.Text == "..":
			return nil, fmt.Errorf("path %q is not clean: it has a part %q", excerpt(pattern), part)
		case (s.Wild || s.Rest) && seen[s.Text]:
			return nil, fmt.Errorf("path %q has {%s} twice", excerpt(pattern), s.Text)
		}
		seen[s.Text] = seen[s.Text] || s.Wild || s.Rest
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(part string) (Segment, error) {
	if !strings.ContainsAny(part, "{}") {
		return Segment{Text: part}, nil
	}
	name := wildcard.FindStringSubmatch(part)
	if name == nil {
		return Segment{}, fmt.Errorf("%q is not a wildcard such as {handle} or {rest...}", excerpt(part))
	}
	return Segment{Text: name[1], Wild: name[2] == "", Rest: name[2] != ""}, nil
}

// coversPath reports whether every path that b matches is matched by a too.
func coversPath(a, b []Segment) bool {
	for i, s := range a {
		switch {
		case s.Rest:
			return i < len(b)
		case i >= len(b) || b[i].Rest:
			return false
		case s.Wild && !b[i].Wild && b[i].Text == "": // a wildcard matches no empty segment
			return false
		case !s.Wild && (b[i].Wild || b[i].Text != s.Text):
			return false
		}
	}
	return len(a) == len(b)
}
