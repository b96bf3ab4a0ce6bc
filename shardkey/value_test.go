package shardkey

import (
	"math"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/topology"
)

func TestValuesAreReadAsPeopleWriteThem(t *testing.T) {
	id := [12]byte{0x65, 1}
	for text, want := range map[string]topology.Value{
		"LON":                                 topology.StringOf("LON"),
		"a b":                                 topology.StringOf("a b"),
		"":                                    topology.StringOf(""),
		"2026-01-01":                          topology.StringOf("2026-01-01"),
		"0044":                                topology.StringOf("0044"),
		"44":                                  topology.IntegerOf(44),
		`"44"`:                                topology.StringOf("44"),
		"-9007199254740993":                   topology.IntegerOf(-9007199254740993),
		"2.5":                                 topology.FloatOf(2.5),
		`{"$numberDouble":"44"}`:              topology.FloatOf(44),
		`{"$date":"2026-01-01T00:00:00Z"}`:    topology.DateOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		`{"$oid":"650100000000000000000000"}`: topology.ObjectIDOf(id),
		`{"$uuid":"65010000-0000-0000-0000-000000000000"}`: topology.UUIDOf([16]byte{0x65, 1}),
	} {
		if got, err := ParseValue(text); got != want || err != nil {
			t.Errorf("%s: got %s %s, %v, want %s %s", text, got.Kind(), got, err, want.Kind(), want)
		}
	}
	for _, text := range []string{"true", "null", "[1]", `{"a":1}`, `{"$oid":"65"}`, `{"$date":`, `"LON`, `{"$numberDecimal":"1"}`, `{"$numberDouble":"NaN"}`} {
		if got, err := ParseValue(text); err == nil {
			t.Errorf("%s: got %s %s, want it refused", text, got.Kind(), got)
		}
	}
}

// What is declared, what documents hold and what is declared of that again are the same.
func TestValuesComeBackFromDocuments(t *testing.T) {
	for _, v := range []topology.Value{
		topology.IntegerOf(-7), topology.FloatOf(5.5), topology.StringOf("A\x00"), topology.UUIDOf([16]byte{1}), topology.ObjectIDOf([12]byte{7}), topology.DateOf(time.UnixMilli(1 << 40)),
	} {
		if back, ok := Declared(ValueOf(v)); !ok || back != v {
			t.Errorf("%s: got %s, %t", v, back, ok)
		}
	}
	if got := ValueOf(topology.Value{}); got.Type != 0 {
		t.Errorf("no value: got type %s", got.Type)
	}
	if Compare(ValueOf(topology.IntegerOf(7)), bson.RawValue(ValueOf(topology.FloatOf(7)))) != 0 {
		t.Error("7 and 7.0 are not the same")
	}
}

// Numbers that JSON has no text for have one in mongosh.
func TestShellHasInfinity(t *testing.T) {
	for d, want := range map[float64]string{math.Inf(1): "{\"a\": Double(Infinity)}", math.Inf(-1): "{\"a\": Double(-Infinity)}", 1e300: "{\"a\": Double(1e+300)}", 2: "{\"a\": Double(2)}"} {
		raw, err := bson.Marshal(bson.D{{Key: "a", Value: d}})
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatShell(raw); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
