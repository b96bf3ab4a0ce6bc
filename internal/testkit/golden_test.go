package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A recorder keeps what a check of it says.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// A text that differs from its file is told with the lines that do; the file stays as it is.
func TestGoldenTellsWhatDiffers(t *testing.T) {
	t.Setenv("GEOSHARD_GOLDEN", "")
	file := filepath.Join(t.TempDir(), "golden.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{"one\ntwo\n": "", "one\nthree\n": "three", "one\ntwo": `"two"`} {
		r := &recorder{TB: t}
		Golden(r, file, got)
		if said := strings.Join(r.said, "\n"); (said == "") != (want == "") || !strings.Contains(said, want) {
			t.Errorf("%q: got %q, want %q in it", got, said, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "one\ntwo\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
}
