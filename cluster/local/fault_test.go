package local

import (
	"errors"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A refused fault says once what is wrong with it, and hints at the way out of just that.
func TestFaultErrors(t *testing.T) {
	network, err := wan.New(wan.Options{Datacenters: []topology.DatacenterID{"NYC", "LON"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		fault string
		is    error
		hint  string
	}{
		{"cut NYC NY", topology.ErrUnknownDatacenter, `did you mean "NYC"?`},
		{"isolate PARIS", topology.ErrUnknownDatacenter, "known are NYC, LON"},
		{"cut NYC", cluster.ErrBadFault, "a fault is one of"},
		{"cut NYC NYC", cluster.ErrBadFault, "a fault is one of"},
	} {
		parsed, err := wan.ParseFault(c.fault)
		if err == nil {
			err = network.Apply(parsed)
		}
		err = faultError("apply", c.fault, err)
		if !errors.Is(err, c.is) || !strings.Contains(hint.Of(err), c.hint) {
			t.Errorf("%s: got %v (%s), want %v (%s)", c.fault, err, hint.Of(err), c.is, c.hint)
			continue
		}
		text := err.Error()
		if strings.Contains(text, "\n") || strings.Count(text, c.fault) != 1 || strings.Count(text, c.is.Error()) != 1 {
			t.Errorf("%s: got %q, want each thing said once", c.fault, text)
		}
		t.Logf("%s (%s)", text, hint.Of(err))
	}
	if err := faultError("apply", "cut NYC LON", nil); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
