package topology

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Compare orders values as MongoDB does: numbers (integers and floats by their value), strings, UUIDs and ObjectIDs by their bytes, dates.
func (v Value) Compare(w Value) int {
	if a, b := v.class(), w.class(); a != b {
		return a - b
	}
	switch {
	case v.kind == KindString || v.kind == KindUUID || v.kind == KindObjectID:
		return strings.Compare(v.text, w.text)
	case v.kind == w.kind && v.kind != KindFloat:
		return cmp.Compare(v.number, w.number)
	default:
		return v.exact().Cmp(w.exact())
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
	case KindInteger, KindDate:
		return true
	case KindFloat:
		return !math.IsNaN(v.float) && !math.IsInf(v.float, 0)
	case KindString:
		return utf8.ValidString(v.text)
	case KindUUID:
		return len(v.text) == 16
	case KindObjectID:
		return len(v.text) == 12
	default:
		return false
	}
}

// An interval is the stretch of values that a range, or one of its single values, covers.
type interval struct {
	path     string
	from, to *Value // nil: no bound
	closed   bool   // to is part of it
}

func (c *checker) ranges(path string, ranges []Range) {
	var covered []interval
	for i, r := range ranges {
		path := fmt.Sprintf("%s[%d]", path, i)
		c.knownZone(path+".zone", r.Zone)
		covered = append(covered, c.rangeOf(path, r)...)
	}
	if c.sound(path) {
		c.overlaps(covered)
	}
}

// rangeOf checks one range and returns what it covers.
func (c *checker) rangeOf(path string, r Range) []interval {
	bounded := r.From != nil || r.To != nil
	switch {
	case bounded == (len(r.Values) > 0):
		c.errorf(path, "", "want either values, or from (inclusive) and to (exclusive), one of which may be left out")
		return nil
	case bounded:
		c.bounds(path, r)
		return []interval{{path: path, from: r.From, to: r.To}}
	}
	points := make([]interval, len(r.Values))
	for i := range r.Values {
		path := fmt.Sprintf("%s.values[%d]", path, i)
		if !r.Values[i].valid() {
			c.errorf(path, "", "not a value")
		}
		points[i] = interval{path: path, from: &r.Values[i], to: &r.Values[i], closed: true}
	}
	return points
}

func (c *checker) bounds(path string, r Range) {
	for _, v := range []*Value{r.From, r.To} {
		if v != nil && !v.valid() {
			c.errorf(path, "", "a bound is not a value")
			return
		}
	}
	switch {
	case r.From == nil || r.To == nil:
	case r.From.class() != r.To.class():
		c.errorf(path, "", "from and to are of two types: %s and %s", r.From.Kind(), r.To.Kind())
	case r.From.Compare(*r.To) >= 0:
		c.errorf(path, "from is part of the range, to is not", "from %s to %s is empty", r.From, r.To)
	}
}

// overlaps sorts the intervals by their beginning, so that each has to be compared only with the one that reaches furthest.
func (c *checker) overlaps(all []interval) {
	slices.SortStableFunc(all, func(a, b interval) int {
		switch {
		case a.from == nil && b.from == nil:
			return 0
		case a.from == nil:
			return -1
		case b.from == nil:
			return 1
		}
		return a.from.Compare(*b.from)
	})
	for i := 1; i < len(all); i++ {
		furthest, next := all[i-1], all[i]
		if furthest.reaches(next.from) {
			c.errorf(next.path, "", "overlaps with %s", furthest.path)
			if !next.beyond(furthest) {
				all[i] = furthest
			}
		}
	}
}

// reaches says whether an interval still covers the place where a later one begins.
func (a interval) reaches(from *Value) bool {
	if a.to == nil || from == nil {
		return true
	}
	order := from.Compare(*a.to)
	return order < 0 || order == 0 && a.closed
}

// beyond says whether a ends after b.
func (a interval) beyond(b interval) bool {
	if a.to == nil || b.to == nil {
		return a.to == nil
	}
	return a.to.Compare(*b.to) > 0
}
