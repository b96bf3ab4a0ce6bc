package container

import (
	"errors"
	"testing"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
)

// A cluster that was not told what to grow by says so. (TestTwoDatacenters ends a growth halfway; e2e/scenarios lets a cluster grow to the end.)
func TestGrowthHasToBeDeclared(t *testing.T) {
	s, err := settingsOf(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Cluster{settings: s}).Grow(t.Context()); !errors.Is(err, cluster.ErrUnsupported) || hint.Of(err) == "" {
		t.Errorf("got %v, want ErrUnsupported with a hint", err)
	}
}
