package enum_test

import (
	"fmt"
	"testing"

	"github.com/geoshard/geoshard/internal/enum"
)

func Example() {
	type colour int
	names := []string{1: "red", 2: "green"}
	var c colour
	fmt.Println(enum.Unmarshal("colour", names, []byte("green"), &c), enum.Name(names, c))
	fmt.Println(enum.Unmarshal("colour", names, []byte("blue"), &c), enum.Name(names, c))
	fmt.Println(enum.Name(names, colour(0)))
	// Output:
	// <nil> green
	// unknown colour "blue": want red, green green
	// unknown
}

func TestValuesWithoutANameAreRefused(t *testing.T) {
	unstated, stated := []string{1: "one", 3: "three"}, []string{"unknown", "one"}
	for _, value := range []int{-1, 0, 2, 4} {
		if text, err := enum.Marshal("number", unstated, value); err == nil {
			t.Errorf("%d is written as %q", value, text)
		}
		if got := enum.Name(unstated, value); got != "unknown" {
			t.Errorf("%d is named %q", value, got)
		}
	}
	for _, text := range []string{"", "unknown", "two"} {
		value := 1
		if err := enum.Unmarshal("number", unstated, []byte(text), &value); err == nil || value != 1 {
			t.Errorf("%q is read as %d, %v", text, value, err)
		}
	}
	value := 1
	if err := enum.Unmarshal("number", stated, []byte("unknown"), &value); err != nil || value != 0 {
		t.Errorf("a table that names 0: got %d, %v", value, err)
	}
	if text, err := enum.Marshal("number", stated, 0); err != nil || string(text) != "unknown" {
		t.Errorf("a table that names 0: got %q, %v", text, err)
	}
}
