package zones_test

import (
	"testing"
	"time"

	"github.com/geoshard/geoshard/zones"
)

func TestWindowOpen(t *testing.T) {
	for _, test := range []struct {
		start, stop, at string
		want            bool
	}{
		{"", "", "12:00", true},
		{"9:00", "17:30", "08:59", false},
		{"9:00", "17:30", "09:00", true},
		{"9:00", "17:30", "17:29", true},
		{"9:00", "17:30", "17:30", false},
		{"23:00", "6:00", "23:30", true},
		{"23:00", "6:00", "02:00", true},
		{"23:00", "6:00", "06:00", false},
		{"23:00", "6:00", "12:00", false},
		{"soon", "later", "12:00", true},
	} {
		at, err := time.Parse("15:04", test.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := (zones.Balancer{WindowStart: test.start, WindowStop: test.stop}).WindowOpen(at); got != test.want {
			t.Errorf("%s-%s at %s: got %v", test.start, test.stop, test.at, got)
		}
	}
}
