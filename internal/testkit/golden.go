package testkit

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Golden compares a text with a golden file, line by line. With GEOSHARD_GOLDEN=rewrite (`make golden`) it writes the file first; commit only what you
// understand.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: want -, got + (make golden):\n%s", file, diff)
	}
}
