package shardkey

import (
	"math"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// value encodes v as the driver does.
func value(t testing.TB, v any) bson.RawValue {
	t.Helper()
	return document(t, bson.D{{Key: "v", Value: v}}).Lookup("v")
}

func document(t testing.TB, d any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("marshal %v: %v", d, err)
	}
	return raw
}

func decimal(t testing.TB, s string) bson.Decimal128 {
	t.Helper()
	d, err := bson.ParseDecimal128(s)
	if err != nil {
		t.Fatalf("parse decimal %q: %v", s, err)
	}
	return d
}

// Each group holds values that are equal; the groups ascend. All pairs are compared.
func TestCompareOrdersGroups(t *testing.T) {
	id := bson.ObjectID{1}
	groups := [][]any{
		{bson.MinKey{}},
		{bson.Undefined{}},
		{nil},
		{math.NaN(), decimal(t, "NaN")},
		{math.Inf(-1), decimal(t, "-Infinity")},
		{decimal(t, "-1E+6000")},
		{-math.MaxFloat64},
		{int64(math.MinInt64), -float64(1 << 63), decimal(t, "-9223372036854775808")},
		{int64(math.MinInt64 + 1)},
		{-1.5, decimal(t, "-1.50")},
		{int32(0), int64(0), 0.0, math.Copysign(0, -1), decimal(t, "-0E+3"), decimal(t, "0")},
		{decimal(t, "1E-6176")},
		{math.SmallestNonzeroFloat64},
		{decimal(t, "0.1")}, // the double 0.1 is a little more than a tenth
		{0.1},
		{int32(1), int64(1), 1.0, decimal(t, "1.000")},
		{int64(1 << 53), float64(1 << 53)},
		{int64(1<<53 + 1)}, // a double cannot hold it: conversion would round
		{int64(1<<53 + 2), float64(1<<53 + 2)},
		{int64(math.MaxInt64)},
		{float64(1 << 63), decimal(t, "9223372036854775808")},
		{math.MaxFloat64},
		{math.Inf(1), decimal(t, "Infinity")},
		{"", bson.Symbol("")},
		{"a", bson.Symbol("a")},
		{"a\x00"},
		{"a\x00b"},
		{"aa"},
		{"\u00e9"},
		{bson.D{}},
		{bson.D{{Key: "b", Value: int32(1)}}, bson.D{{Key: "b", Value: 1.0}}},
		{bson.D{{Key: "b", Value: int32(1)}, {Key: "a", Value: nil}}},
		{bson.D{{Key: "b", Value: int32(2)}}},
		{bson.D{{Key: "c", Value: int32(0)}}}, // name before value
		{bson.D{{Key: "a", Value: ""}}},       // type before name
		{bson.A{}},
		{bson.A{int32(1)}},
		{bson.A{int32(1), int32(0)}},
		{bson.A{int32(2)}},
		{bson.Binary{}},
		{bson.Binary{Subtype: 4}},
		{bson.Binary{Data: []byte{9}}},
		{bson.Binary{Subtype: 5, Data: []byte{1}}},
		{bson.Binary{Data: []byte{0, 0}}},
		{bson.ObjectID{}},
		{id},
		{false},
		{true},
		{bson.DateTime(-1)},
		{bson.DateTime(0)},
		{bson.Timestamp{T: 1, I: 2}},
		{bson.Timestamp{T: 0x80000000}}, // unsigned
		{bson.Regex{Pattern: "a", Options: "i"}},
		{bson.Regex{Pattern: "ab"}},
		{bson.DBPointer{DB: "b", Pointer: id}},
		{bson.DBPointer{DB: "aa", Pointer: id}}, // length first
		{bson.JavaScript("a")},
		{bson.CodeWithScope{Code: "a", Scope: bson.D{}}},
		{bson.CodeWithScope{Code: "a", Scope: bson.D{{Key: "x", Value: int32(1)}}}},
		{bson.MaxKey{}},
	}
	pairs := 0
	for i, left := range groups {
		for j, right := range groups {
			want := min(1, max(-1, i-j))
			for _, l := range left {
				for _, r := range right {
					pairs++
					if got := Compare(value(t, l), value(t, r)); got != want {
						t.Errorf("Compare(%T %v, %T %v) = %d, want %d", l, l, r, r, got, want)
					}
				}
			}
		}
	}
	t.Logf("compared %d pairs", pairs)
}

// The driver's own decoder does not know that coefficients of 10^34 and more count as zero.
func TestCompareReadsOversizedDecimalAsZero(t *testing.T) {
	oversized := bson.NewDecimal128(0x3041ffffffffffff, ^uint64(0)) // exponent 0, coefficient 2^113-1
	if got := Compare(value(t, oversized), value(t, int32(0))); got != 0 {
		t.Errorf("Compare(oversized, 0) = %d, want 0", got)
	}
}

func TestCompareKeysIgnoresNames(t *testing.T) {
	a := document(t, bson.D{{Key: "x", Value: "LON"}, {Key: "y", Value: int32(1)}})
	b := document(t, bson.D{{Key: "z", Value: "LON"}, {Key: "a", Value: int64(1)}})
	if got := CompareKeys(a, b); got != 0 {
		t.Errorf("CompareKeys = %d, want 0", got)
	}
	prefix := document(t, bson.D{{Key: "x", Value: "LON"}})
	if got := CompareKeys(prefix, a); got != -1 {
		t.Errorf("CompareKeys(prefix, key) = %d, want -1", got)
	}
}

func BenchmarkCompareKeys(b *testing.B) {
	for _, bench := range []struct {
		name string
		last any
	}{{"string", "LON.01J"}, {"int64", int64(7)}, {"objectid", bson.ObjectID{7}}, {"double", 7.5}, {"decimal", decimal(b, "7.5")}} {
		b.Run(bench.name, func(b *testing.B) {
			key := document(b, bson.D{{Key: "dc", Value: "LON"}, {Key: "id", Value: bench.last}})
			other := document(b, bson.D{{Key: "dc", Value: "LON"}, {Key: "id", Value: bench.last}})
			b.ReportAllocs()
			for b.Loop() {
				if CompareKeys(key, other) != 0 {
					b.Fatal("not equal")
				}
			}
		})
	}
}
