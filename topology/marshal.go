package topology

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
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
	var b strings.Builder
	fmt.Fprintf(&b, "version: %d\n", t.Version)
	section(&b, "datacenters:", t.Datacenters, func(d Datacenter) string { return word(d.ID) + ": " + d.flow() })
	section(&b, "links:", t.Links, func(l Link) string { return "- " + l.flow() })
	section(&b, "shards:", t.Shards, func(s Shard) string { return word(s.ID) + ": " + s.flow() })
	section(&b, "zones:", t.Zones, func(z Zone) string { return word(z.ID) + ": " + z.flow() })
	section(&b, "namespaces:", t.Namespaces, Namespace.block)
	if t.Survive != SurviveUnstated {
		fmt.Fprintf(&b, "survive: %s\n", t.Survive)
	}
	if t.Router != nil {
		b.WriteString(t.Router.block())
	}
	return []byte(b.String()), nil
}

// section writes a heading and an indented line for each item, or nothing when there are none.
func section[T any](b *strings.Builder, heading string, items []T, line func(T) string) {
	if len(items) > 0 {
		b.WriteString(heading + "\n")
	}
	for _, item := range items {
		b.WriteString("  " + line(item) + "\n")
	}
}

var (
	bareWord  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z][A-Za-z0-9_./-]*)*$`)
	otherType = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)
)

// word writes a string, in double quotes unless no YAML reader can mistake it for anything else.
func word[S ~string](s S) string {
	if bareWord.MatchString(string(s)) && !otherType.MatchString(string(s)) {
		return string(s)
	}
	return strconv.Quote(string(s))
}

// words writes strings as a list.
func words[S ~string](items []S) string { return list(items, word[S]) }

// list writes items in brackets, and nothing when there are none: the file leaves empty lists out.
func list[T any](items []T, text func(T) string) string {
	if len(items) == 0 {
		return ""
	}
	return "[" + strings.Join(each(items, text), ", ") + "]"
}

// flow joins keys and their texts to a mapping, and leaves out keys without a text.
func flow(pairs ...string) string {
	var parts []string
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			parts = append(parts, pair[0]+": "+pair[1])
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// stated is the text of a value that has one, and "" for the zero value, which the file leaves out.
func stated[T comparable](v T, text func(T) string) string {
	var zero T
	if v == zero {
		return ""
	}
	return text(v)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func (d Datacenter) flow() string {
	var at, role string
	if d.At != nil {
		at = list([]float64{d.At.Lat, d.At.Long}, number)
	}
	if d.Role != RoleActive {
		role = d.Role.String()
	}
	return flow("name", stated(d.Name, word), "at", at, "countries", words(d.Countries),
		"endpoint", stated(d.Endpoint, strconv.Quote), "role", role)
}

func (l Link) flow() string {
	return flow("between", words(l.Between[:]), "rtt", l.RTT.String(),
		"jitter", stated(l.Jitter, time.Duration.String), "bandwidth", stated(l.Bandwidth, ByteRate.String))
}

func (s Shard) flow() string {
	return flow("members", list(s.Members, func(m Member) string {
		return flow("dc", word(m.DC), "priority", number(m.Priority))
	}))
}

func (z Zone) flow() string {
	return flow("shards", words(z.Shards), "allowedDatacenters", words(z.AllowedDatacenters))
}

// block writes a namespace on one line, and its ranges below it.
func (n Namespace) block() string {
	lines := []string{
		word(n.Name) + ":",
		"key: {" + strings.Join(each(n.Key, func(f KeyField) string { return word(f.Name) + ": " + f.order() }), ", ") + "}",
		"zoneBy: " + word(n.ZoneBy),
		"unknown: " + n.Unknown.String(),
	}
	if n.UnknownZone != "" {
		lines = append(lines, "unknownZone: "+word(n.UnknownZone))
	}
	if n.OnlyRanges {
		lines = append(lines, "onlyRanges: true")
	}
	if len(n.Ranges) > 0 {
		lines = append(lines, "ranges:")
	}
	for _, r := range n.Ranges {
		lines = append(lines, "  - "+r.flow())
	}
	if len(n.Related) > 0 {
		lines = append(lines, "related: "+list(n.Related, func(r Related) string {
			return flow("namespace", word(r.Namespace), "by", word(r.By))
		}))
	}
	return strings.Join(lines, "\n    ")
}

func (r Range) flow() string {
	var from, to string
	if r.From != nil {
		from = r.From.tagged()
	}
	if r.To != nil {
		to = r.To.tagged()
	}
	return flow("zone", word(r.Zone), "values", list(r.Values, Value.tagged), "from", from, "to", to)
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
