package enum

import (
	"fmt"
	"slices"
	"strings"
)

// Name is a value's name; "unknown" for a value without one.
func Name[E ~int](names []string, value E) string {
	if name, ok := find(names, value); ok {
		return name
	}
	return "unknown"
}

// Marshal writes a value's name, and refuses a value without one. What says what the values are.
func Marshal[E ~int](what string, names []string, value E) ([]byte, error) {
	name, ok := find(names, value)
	if !ok {
		return nil, fmt.Errorf("marshal %s: %d has no name", what, int(value))
	}
	return []byte(name), nil
}

// Unmarshal reads a name of the table, and leaves the value as it is when there is no such name.
func Unmarshal[E ~int](what string, names []string, text []byte, to *E) error {
	i := slices.Index(names, string(text))
	if i < 0 || names[i] == "" {
		return fmt.Errorf("unknown %s %q: want %s", what, text, strings.Join(names[1:], ", "))
	}
	*to = E(i)
	return nil
}

func find[E ~int](names []string, value E) (string, bool) {
	if value < 0 || int(value) >= len(names) || names[value] == "" {
		return "", false
	}
	return names[value], true
}
