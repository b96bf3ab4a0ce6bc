package serverversion_test

import (
	"fmt"
	"testing"

	"github.com/geoshard/geoshard/internal/serverversion"
)

func ExampleParse() {
	v, _ := serverversion.Parse("8.0.12-ent")
	fmt.Println(v, v.Release(), v.Less(serverversion.Oldest))
	// Output: 8.0.12 8.0 false
}

func TestVersionsParseAndCompare(t *testing.T) {
	for _, s := range []string{"", "6", "6.0", "6.0.x", "v6.0.x", "6.0.5.1", "99999.0.0", "-6.0.5"} {
		if v, err := serverversion.Parse(s); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, v)
		}
	}
	for text, want := range map[string]serverversion.Version{"6.0.5": {6, 0, 5}, "7.0.0-rc1": {7, 0, 0}, "8.0.12-ent": {8, 0, 12}} {
		if got, err := serverversion.Parse(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	ordered := []string{"5.0.31", "6.0.0", "6.0.5", "6.0.10", "6.3.1", "10.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			va, errA := serverversion.Parse(a)
			vb, errB := serverversion.Parse("v" + b + "-rc1")
			if errA != nil || errB != nil || va.Less(vb) != (i < j) || va.String() != a {
				t.Errorf("%s before %s: got %v (%v, %v)", a, b, va.Less(vb), errA, errB)
			}
		}
	}
}
