package topology

import (
	"encoding"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/geoshard/geoshard/internal/spelling"
)

// Validate checks a topology that was made in Go by the rules of Parse. The error is an *Errors without files and lines.
func (t *Topology) Validate() error { return asError(check(t, flaws{})) }

// flaws holds the path of each error and every path above it.
type flaws map[string]bool

func (f flaws) mark(path string) {
	for ; path != "" && !f[path]; path = parent(path) {
		f[path] = true
	}
}

// A checker runs the rules over a topology.
type checker struct {
	*Topology
	problems []Problem
	flaws    flaws
}

// check returns what the rules find. The decoder's flaws keep rules away from what could not be read, and rules that look at how
// parts fit together wait until the parts themselves are sound, so that one slip is not told five times.
func check(t *Topology, decoded flaws) []Problem {
	c := &checker{Topology: t, flaws: decoded}
	c.version()
	c.datacenters()
	c.links()
	c.shards()
	c.zones()
	c.namespaces()
	if c.sound("datacenters") && c.sound("shards") {
		c.placement()
		c.residency()
		c.survival()
		c.elections()
	}
	c.router()
	return c.problems
}

// sound says whether no error was found so far at a path or below it.
func (c *checker) sound(path string) bool { return !c.flaws[path] }

// errorf reports an error at a path.
func (c *checker) errorf(path, suggestion, format string, args ...any) {
	c.flaws.mark(path)
	c.problems = append(c.problems, Problem{Severity: SeverityError, Path: path, Msg: fmt.Sprintf(format, args...), Hint: suggestion})
}

// warnf reports a warning at a path.
func (c *checker) warnf(path, suggestion, format string, args ...any) {
	c.problems = append(c.problems, Problem{Severity: SeverityWarning, Path: path, Msg: fmt.Sprintf(format, args...), Hint: suggestion})
}

func (c *checker) version() {
	if c.Version != CurrentVersion && c.sound("version") {
		c.errorf("version", fmt.Sprintf("write version: %d", CurrentVersion), "version %d is not known", c.Version)
	}
}

// IDs become replica-set names, tags, directories, parts of member names ("nyc/LON.2") and words of faults ("cut NYC->LON").
var idShape = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// maxID keeps names far below the 255 bytes of a file name and readable in a table.
const maxID = 63

// id checks a name of a datacenter or a shard, and that no other one of its kind differs in case alone: on some machines their
// directories would be the same, and everywhere their documents would be mistaken for each other's.
func (c *checker) id(path, id string, seen map[string]string) {
	if !idShape.MatchString(id) || len(id) > maxID {
		c.errorf(path, "", "name %q: want 1 to %d letters, digits, -, _ and ., with a letter or digit at both ends", excerpt(id), maxID)
	}
	lower := strings.ToLower(id)
	if other, ok := seen[lower]; ok {
		c.errorf(path, "", "name %q is taken already, by %q", id, other)
		return
	}
	seen[lower] = id
}

// printable refuses what a terminal or a file could not show: control characters and broken UTF-8.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// each maps items.
func each[T, U any](items []T, to func(T) U) []U {
	list := make([]U, len(items))
	for i, item := range items {
		list[i] = to(item)
	}
	return list
}

func (c *checker) knownDatacenter(path string, id DatacenterID) bool {
	return known(c, path, "datacenter", id, c.DatacenterIDs())
}

func (c *checker) knownZone(path string, id ZoneID) bool {
	return known(c, path, "zone", id, c.ZoneIDs())
}

// known reports a name that is not among those that are declared. Where these could not be read in full, it tells likely slips alone: the
// name may stand in the part that was not understood.
func known[S ~string](c *checker, path, what string, name S, declared []S) bool {
	if slices.Contains(declared, name) {
		return true
	}
	if c.sound(what+"s") || spelling.Nearest(string(name), declared) != "" {
		c.errorf(path, didYouMean(string(name), declared), "unknown %s %q", what, excerpt(string(name)))
	}
	return false
}

// named reports a value of an enumeration that has no name.
func (c *checker) named(path, what string, value encoding.TextMarshaler) bool {
	_, err := value.MarshalText()
	if err != nil {
		c.errorf(path, "", "%s %d is not known", what, value)
	}
	return err == nil
}

// baseURL checks the address of a gateway or an application: what is put before a request's path.
func (c *checker) baseURL(path, what, text, example string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || !printable(text):
		c.errorf(path, "", "%q is not a base URL such as %s", excerpt(text), example)
	case u.User != nil:
		// The URL itself stays out of the message: it holds a secret.
		c.errorf(path, "take user and password out", "the %s holds credentials", what)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.errorf(path, "", "%q has a query or a fragment, which a base URL cannot have", excerpt(text))
	}
}
