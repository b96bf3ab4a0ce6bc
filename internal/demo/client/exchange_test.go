package client

import (
	"net/http"
	"testing"
)

func TestAWayIsReadFromTheHeaders(t *testing.T) {
	h := http.Header{}
	for name, value := range map[string]string{"X-Geoshard-Datacenter": "LON", "X-Geoshard-Owner": "SYD", "X-Geoshard-Mode": "forward", "X-Geoshard-Reason": "primary", "X-Served-By": "LON; x; primary; 0s"} {
		h.Set(name, value)
	}
	h.Add("Server-Timing", "total;dur=2.9, db;dur=1.8")
	h.Add("Server-Timing", "geoshard;dur=3.5, upstream;dur=3.1, tries;desc=2")
	want := Exchange{To: "LON", Owner: "SYD", Mode: "forward", Reason: "primary", ServedBy: "LON; x; primary; 0s", Database: 1.8, Tries: 2}
	read := func(h http.Header) (x Exchange) {
		x.read(h)
		return x
	}
	if got := read(h); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := read(http.Header{"Server-Timing": {"db", ";", "tries;desc=x"}}); got != (Exchange{}) {
		t.Errorf("nothing that can be read: got %+v", got)
	}
}
