package wan

import (
	"io"
	"maps"
	"testing"

	"github.com/geoshard/geoshard/topology"
)

// say sends a text over a connection in two parts, and waits for its echo: then it was counted.
func say(t *testing.T, n *Network, from topology.DatacenterID, addr, text string) {
	t.Helper()
	conn := dial(t, n, from, addr)
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := conn.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, len(part))); err != nil { // a chunk of its own
			t.Fatal(err)
		}
	}
}

// What crosses a link is counted once for each time that it is sent, also when it comes in parts; what stays in its datacenter, what holds nothing of it and
// what is sent before or after is not.
func TestAWatchCountsWhatCrosses(t *testing.T) {
	o := threeCities()
	o.Scale = 0.01
	n := newNetwork(t, o)
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	const key = "01K4B4B2V8G3T0000000000000"
	say(t, n, "NYC", addr, "before "+key)
	w, other := n.Watch(key, "nothing"), n.Watch("nothing")
	say(t, n, "LON", addr, "at home "+key)
	say(t, n, "NYC", addr, "another")
	if got := w.Seen(); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	say(t, n, "NYC", addr, key)
	say(t, n, "NYC", addr, "about "+key+", and more of it")
	say(t, n, "SYD", addr, key)
	w.Close()
	w.Close()
	say(t, n, "SYD", addr, key)
	crossing := func(from topology.DatacenterID) Crossing {
		return Crossing{From: from, To: "LON", Target: "nyc/LON", Text: key}
	}
	if got, want := w.Seen(), map[Crossing]int{crossing("NYC"): 2, crossing("SYD"): 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := other.Seen(); len(got) != 0 {
		t.Errorf("the other one: got %v, want nothing", got)
	}
}
