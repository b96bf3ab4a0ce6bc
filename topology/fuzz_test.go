package topology_test

import (
	"os"
	"testing"

	"github.com/geoshard/geoshard/topology"
	"github.com/google/go-cmp/cmp"
)

// FuzzParse: no document makes Parse panic, and each that it takes is marshalled to one that it takes as well.
func FuzzParse(f *testing.F) {
	src, err := os.ReadFile("testdata/nyc-lon-syd.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	for _, s := range slips {
		f.Add([]byte(s.source(f, string(src))))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		world, err := topology.Parse("fuzz.yaml", src)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		again, err := world.Marshal()
		if err != nil {
			t.Fatalf("marshal what was parsed: %v", err)
		}
		got, err := topology.Parse("again.yaml", again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if diff := cmp.Diff(world, got, cmp.Comparer(func(a, b topology.Value) bool { return a == b })); diff != "" {
			t.Fatalf("want -, got +:\n%s\n%s", diff, again)
		}
	})
}
