package topology

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Compare orders values as MongoDB does: numbers (integers and floats by their value), strings, UUIDs and ObjectIDs by their bytes, dates.
func (v Value) Compare(w Value) int {
	switch {
	case v.class() != w.class():
		return v.class() - w.class()
	case v.kind == KindFloat || w.kind == KindFloat:
		return v.exact().Cmp(w.exact())
	case v.text != w.text:
		return strings.Compare(v.text, w.text)
	default:
		return cmp.Compare(v.number, w.number)
	}
}

// class is the kind, with integers and floats as one.
func (v Value) class() int {
	if v.kind == KindInteger {
		return int(KindFloat)
	}
	return int(v.kind)
}

// exact is a number without the rounding of a conversion from int64 to float64.
func (v Value) exact() *big.Float {
	if v.kind == KindFloat {
		return big.NewFloat(v.float)
	}
	return new(big.Float).SetInt64(v.number)
}

func (v Value) valid() bool {
	switch v.kind {
	case KindUnknown:
		return false
	case KindFloat:
		return !math.IsNaN(v.float) && !math.IsInf(v.float, 0)
	case KindString:
		return utf8.ValidString(v.text)
	default:
		return true
	}
}

// An interval is the stretch of values that a range, or one of its single values, covers.
type interval struct {
	path     string
	from, to Value
	closed   bool // to is part of it
}

// lowest and highest stand for bounds that are not there: no value is below the one or above the other.
var lowest, highest = Value{}, Value{kind: KindDate + 1}

func (c *checker) ranges(path string, ns Namespace) {
	var covered []interval
	for i, r := range ns.Ranges {
		path := at(path, i)
		c.knownZone(path+".zone", r.Zone)
		covered = append(covered, c.rangeOf(path, r)...)
	}
	if c.sound(path) {
		c.overlaps(covered)
		c.lookalikes(path, ns)
	}
}

// lookalikes warns of values that people take for the same and MongoDB does not, where they lie in two zones: 44 and "44", "us" and "US", two ways to write "Ö".
func (c *checker) lookalikes(path string, ns Namespace) {
	type place struct {
		value Value
		zone  ZoneID
	}
	seen := map[string]place{}
	meet := func(path string, v Value, zone ZoneID) {
		folded := v.String()
		if v.kind == KindString {
			folded = strings.ToLower(norm.NFC.String(v.text))
		}
		other, met := seen[folded]
		if !met {
			seen[folded] = place{v, zone}
		} else if other.zone != zone && other.value != v {
			c.warnf(path, "give both to one zone, unless they are meant to be apart", "%s belongs to %s, and %s to %s: MongoDB takes them for two values", v.spelt(), zone, other.value.spelt(), other.zone)
		}
	}
	for i, r := range ns.Ranges {
		for n, v := range r.Values {
			meet(at(at(path, i)+".values", n), v, r.Zone)
		}
	}
	if !ns.OnlyRanges {
		for _, zone := range c.Zones {
			meet("zones"+step(string(zone.ID)), StringOf(string(zone.ID)), zone.ID)
		}
	}
}

// spelt writes a value so that two that look alike can be told apart.
func (v Value) spelt() string {
	if v.kind == KindString {
		return strconv.QuoteToASCII(v.text)
	}
	return v.String()
}

// rangeOf checks one range and returns what it covers.
func (c *checker) rangeOf(path string, r Range) []interval {
	bounded := len(bounds(r)) > 0
	switch {
	case bounded == (len(r.Values) > 0):
		c.errorf(path, "", "want either values, or from (inclusive) and to (exclusive), one of which may be left out")
		return nil
	case bounded:
		c.bounds(path, r)
		all := interval{path: path, from: lowest, to: highest}
		if r.From != nil {
			all.from = *r.From
		}
		if r.To != nil {
			all.to = *r.To
		}
		return []interval{all}
	}
	points := make([]interval, len(r.Values))
	for i, v := range r.Values {
		path := at(path+".values", i)
		if !v.valid() {
			c.errorf(path, "", "not a value")
		}
		points[i] = interval{path: path, from: v, to: v, closed: true}
	}
	return points
}

func (c *checker) bounds(path string, r Range) {
	switch {
	case slices.ContainsFunc(bounds(r), func(v Value) bool { return !v.valid() }):
		c.errorf(path, "", "a bound is not a value")
	case r.From == nil || r.To == nil:
	case r.From.class() != r.To.class():
		c.errorf(path, "", "from and to are of two types: %s and %s", r.From.Kind(), r.To.Kind())
	case r.From.Compare(*r.To) >= 0:
		c.errorf(path, "from is part of the range, to is not", "from %s to %s is empty", r.From, r.To)
	}
}

// bounds are the bounds that a range has.
func bounds(r Range) []Value {
	var list []Value
	for _, b := range []*Value{r.From, r.To} {
		if b != nil {
			list = append(list, *b)
		}
	}
	return list
}

// overlaps sorts the intervals by their beginning, so that each has to be compared only with the one that reaches furthest.
func (c *checker) overlaps(all []interval) {
	slices.SortStableFunc(all, func(a, b interval) int { return a.from.Compare(b.from) })
	for i := 1; i < len(all); i++ {
		furthest, next := all[i-1], all[i]
		gap := next.from.Compare(furthest.to)
		if gap > 0 || gap == 0 && !furthest.closed {
			continue
		}
		both := "all values below"
		if next.from != lowest {
			both = next.from.String()
		}
		c.errorf(next.path, "", "overlaps with %s: both have %s", furthest.path, both)
		if next.to != highest && next.to.Compare(furthest.to) <= 0 {
			all[i] = furthest
		}
	}
}
