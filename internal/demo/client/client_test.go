package client

import (
	"errors"
	"math"
	"testing"

	"github.com/geoshard/geoshard/topology"
)

func TestTheGreatCircleIsRight(t *testing.T) {
	for _, c := range []struct {
		from, to topology.Coordinates
		km       float64
	}{
		{topology.Coordinates{Lat: 40.71, Long: -74.01}, topology.Coordinates{Lat: 51.51, Long: -0.13}, 5570},    // New York, London
		{topology.Coordinates{Lat: 51.51, Long: -0.13}, topology.Coordinates{Lat: -33.87, Long: 151.21}, 16_994}, // London, Sydney
		{topology.Coordinates{Lat: 0, Long: 179}, topology.Coordinates{Lat: 0, Long: -179}, 222},
	} {
		if got := haversine(c.from, c.to); math.Abs(got-c.km) > c.km/100 {
			t.Errorf("from %v to %v: got %.0f km, want %.0f", c.from, c.to, got, c.km)
		}
	}
}

func TestOnlyPassingRefusalsAreTriedAgain(t *testing.T) {
	for status, want := range map[int]bool{400: false, 404: false, 409: false, 429: false, 500: true, 503: true, 504: true} {
		if got := (&RefusedError{Exchange: Exchange{Status: status}}).ForTheMoment(); got != want {
			t.Errorf("%d: got %v, want %v", status, got, want)
		}
	}
	if !(&RefusedError{Err: errors.New("connection refused")}).ForTheMoment() {
		t.Error("no answer at all: want another try")
	}
}
