package topology_test

import (
	"fmt"
	"testing"

	"github.com/geoshard/geoshard/topology"
)

// BenchmarkParse reads a world with 10,000 ranges, and BenchmarkMarshal writes it.
func BenchmarkParse(b *testing.B) {
	src := manyRanges(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := topology.Parse("large.yaml", src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	world, err := topology.Parse("large.yaml", manyRanges(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := world.Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}

func manyRanges(b *testing.B) []byte {
	world := fixture()
	ns := &world.Namespaces[0]
	for i := range int64(10_000) {
		from, to := topology.IntegerOf(10*i), topology.IntegerOf(10*i+7)
		if i%2 == 0 {
			ns.Ranges = append(ns.Ranges, topology.Range{Zone: world.Zones[i%3].ID, From: &from, To: &to})
			continue
		}
		ns.Ranges = append(ns.Ranges, topology.Range{Zone: world.Zones[i%3].ID, Values: []topology.Value{topology.StringOf(fmt.Sprintf("v%d", i)), from}})
	}
	src, err := world.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	return src
}
