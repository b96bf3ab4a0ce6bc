package topology_test

import (
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
