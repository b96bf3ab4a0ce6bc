package spelling

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"members", "priority", "zoneBy", "LON"}
	for word, want := range map[string]string{
		"members": "members", "memebers": "members", "member": "members", "MEMBERS": "members", "prio": "", "zoneby": "zoneBy",
		"lon": "LON", "LNO": "LON", "LO": "LON", "": "", "NYC": "", "x": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", word, got, want)
		}
	}
	if got := Nearest("a", []string{"b", "a"}); got != "a" {
		t.Errorf("the exact word is nearest: got %q", got)
	}
}

func TestEditsCountsSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"lno", "lon", 1}, {"kitten", "sitting", 3}, {"abcd", "badc", 2}} {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q): got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
