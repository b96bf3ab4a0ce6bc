package shardkey

import (
	"bytes"
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/topology"
)

func raw(v any) bson.RawValue { return encoded(bson.D{{Key: "v", Value: v}}).Lookup("v") }

func encoded(d bson.D) bson.Raw {
	doc, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return doc
}

// Nothing lies between a value and its successor, and the types are those that documents have.
func TestSuccessorIsTheNextValue(t *testing.T) {
	ones := func(n int) []byte { return bytes.Repeat([]byte{0xff}, n) }
	for _, c := range []struct{ value, want any }{
		{"", "\x00"}, {"LON", "LON\x00"}, {"LON\x00", "LON\x00\x00"}, {"\xff", "\xff\x00"},
		{int32(5), math.Nextafter(5, 6)}, {int64(0), math.SmallestNonzeroFloat64}, {int64(-1), math.Nextafter(-1, 0)},
		{int64(1<<53 - 1), float64(1 << 53)}, {int64(1 << 53), int64(1<<53 + 1)}, {int64(-1 << 53), math.Nextafter(-1<<53, 0)}, {int64(-1<<53 - 1), float64(-1 << 53)},
		{int64(math.MaxInt64), float64(1 << 63)}, {int64(math.MinInt64), int64(math.MinInt64 + 1)},
		{0.1, math.Nextafter(0.1, 1)}, {float64(1 << 53), int64(1<<53 + 1)}, {float64(1 << 63), math.Nextafter(1<<63, math.Inf(1))}, {float64(-1 << 63), int64(math.MinInt64 + 1)},
		{math.Nextafter(-1<<63, math.Inf(-1)), float64(-1 << 63)}, {math.MaxFloat64, math.Inf(1)}, {math.Inf(1), ""}, {math.NaN(), math.Inf(-1)}, {math.Copysign(0, -1), math.SmallestNonzeroFloat64},
		{bson.DateTime(-1), bson.DateTime(0)}, {bson.DateTime(math.MaxInt64), bson.Timestamp{}}, {false, true}, {true, bson.DateTime(math.MinInt64)},
		{bson.ObjectID{11: 0xff}, bson.ObjectID{10: 1}}, {bson.ObjectID(ones(12)), false},
		{bson.Binary{Subtype: 4, Data: make([]byte, 16)}, bson.Binary{Subtype: 4, Data: append(make([]byte, 15), 1)}},
		{bson.Binary{Subtype: 4, Data: ones(16)}, bson.Binary{Subtype: 5, Data: make([]byte, 16)}}, {bson.Binary{Subtype: 255, Data: ones(1)}, bson.Binary{Data: make([]byte, 2)}},
	} {
		value, want := raw(c.value), raw(c.want)
		got, ok := Successor(value)
		if !ok || Compare(got, want) != 0 || Compare(value, got) >= 0 {
			t.Errorf("after %T %v: got %v, %t, want %v", c.value, c.value, got, ok, want)
		}
	}
	for _, v := range []any{bson.MinKey{}, bson.MaxKey{}, nil, bson.D{}, bson.A{}, bson.Timestamp{T: 1}, bson.NewDecimal128(0, 0)} {
		if got, ok := Successor(raw(v)); ok {
			t.Errorf("after %T: got %v, want none", v, got)
		}
	}
}

// Between two values that documents can have, drawn at random, a successor never comes in.
func TestNoValueLiesBetweenAValueAndItsSuccessor(t *testing.T) {
	number := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) any { return n }), rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Int64Range(1<<53-3, 1<<53+3), func(n int64) any { return n }), rapid.Map(rapid.Int64Range(1<<53-3, 1<<53+3), func(n int64) any { return float64(-n) }))
	value := rapid.OneOf(number, rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a'}), 0, 4), func(b []byte) any { return string(b) }))
	pairs := 0
	rapid.Check(t, func(t *rapid.T) {
		a, b := raw(value.Draw(t, "a")), raw(value.Draw(t, "b"))
		next, ok := Successor(a)
		if !ok {
			t.Fatalf("%v has no successor", a)
		}
		if Compare(b, a) > 0 && Compare(b, next) < 0 {
			t.Fatalf("%v lies between %v and %v", b, a, next)
		}
		pairs++
	})
	t.Logf("%d pairs", pairs)
}

func TestBoundsAreNormalised(t *testing.T) {
	key := topology.Key{{Name: "dc"}, {Name: "a.b"}, {Name: "h", Hashed: true}}
	e := func(k string, v any) bson.E { return bson.E{Key: k, Value: v} }
	for name, c := range map[string]struct{ found, full, tight bson.D }{
		"full":              {bson.D{e("dc", "X"), e("a.b", 1), e("h", int64(5))}, bson.D{e("dc", "X"), e("a.b", 1), e("h", int64(5))}, nil},
		"prefix":            {bson.D{e("dc", "X")}, bson.D{e("dc", "X"), e("a.b", bson.MinKey{}), e("h", bson.MinKey{})}, nil},
		"another order":     {bson.D{e("a.b", 1), e("dc", "X")}, bson.D{e("dc", "X"), e("a.b", 1), e("h", bson.MinKey{})}, nil},
		"the usual end":     {bson.D{e("dc", "X"), e("a.b", bson.MaxKey{}), e("h", bson.MaxKey{})}, bson.D{e("dc", "X"), e("a.b", bson.MaxKey{}), e("h", bson.MaxKey{})}, bson.D{e("dc", "X\x00"), e("a.b", bson.MinKey{}), e("h", bson.MinKey{})}},
		"the usual prefix":  {bson.D{e("dc", "X"), e("a.b", bson.MaxKey{})}, bson.D{e("dc", "X"), e("a.b", bson.MaxKey{}), e("h", bson.MinKey{})}, bson.D{e("dc", "X\x00"), e("a.b", bson.MinKey{}), e("h", bson.MinKey{})}},
		"the end of all":    {bson.D{e("dc", bson.MaxKey{})}, bson.D{e("dc", bson.MaxKey{}), e("a.b", bson.MinKey{}), e("h", bson.MinKey{})}, bson.D{e("dc", bson.MaxKey{}), e("a.b", bson.MaxKey{}), e("h", bson.MaxKey{})}},
		"a later MaxKey":    {bson.D{e("dc", "X"), e("a.b", 1), e("h", bson.MaxKey{})}, bson.D{e("dc", "X"), e("a.b", 1), e("h", bson.MaxKey{})}, nil},
		"another key":       {bson.D{e("country", "X")}, nil, nil},
		"more than the key": {bson.D{e("dc", "X"), e("a.b", 1), e("h", int64(5)), e("z", 1)}, nil, nil},
		"no prefix":         {bson.D{e("dc", "X"), e("h", int64(5))}, nil, nil},
		"nothing":           {bson.D{}, nil, nil},
	} {
		got, ok := ReadBound(key, encoded(c.found))
		if ok != (c.full != nil) {
			t.Errorf("%s: got ok = %t", name, ok)
			continue
		}
		if !ok {
			continue
		}
		if !bytes.Equal(got.Full, encoded(c.full)) {
			t.Errorf("%s: got %v, want %v", name, got.Full, c.full)
		}
		want := c.tight
		if want == nil {
			want = c.full
		}
		if !bytes.Equal(got.Tight, encoded(want)) {
			t.Errorf("%s: got %v in the tight way, want %v", name, got.Tight, want)
		}
	}
}
