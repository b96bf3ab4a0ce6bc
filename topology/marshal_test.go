package topology_test

import (
	"slices"
	"testing"

	"github.com/geoshard/geoshard/topology"
	"github.com/google/go-cmp/cmp"
)

func TestMarshalIsReadBack(t *testing.T) {
	src, err := fixture().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", src)
	got, err := topology.Parse("marshalled.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fixture(), got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

// TestFloatsAreReadBack: YAML's reader takes 1e-07 for a string, and 1e+21 for an integer that is too large.
func TestFloatsAreReadBack(t *testing.T) {
	want := fixture()
	var values []topology.Value
	for _, f := range []float64{5e-324, 1e-7, 1.5e-7, 1e21, -1e300, 0, 3} {
		values = append(values, topology.FloatOf(f))
	}
	want.Namespaces[0].Ranges = append(want.Namespaces[0].Ranges, topology.Range{Zone: want.Zones[0].ID, Values: values})
	src, err := want.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := topology.Parse("marshalled.yaml", src)
	if err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	ranges := got.Namespaces[0].Ranges
	if !slices.Equal(ranges[len(ranges)-1].Values, values) {
		t.Errorf("got %v, want %v", ranges[len(ranges)-1].Values, values)
	}
}
