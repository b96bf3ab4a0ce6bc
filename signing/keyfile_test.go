package signing_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/signing"
)

// Secrets that others can read, and what is no key, are refused without quoting it.
func TestKeyFilesAreReadOrRefused(t *testing.T) {
	one, err := signing.NewKeyLine("a1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := signing.NewKeyLine("a2")
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Fields(one)[1]
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"good":       {"# the new one\n" + one + "\n" + two + "\n", 0o600, ""},
		"group":      {one, 0o640, "others can read"},
		"others":     {one, 0o604, "others can read"},
		"empty":      {"\n", 0o600, "has none"},
		"short":      {"a1 " + secret[:8] + "\n", 0o600, "line 1 is no key"},
		"not base64": {one + "\na2 " + secret[:20] + "!\n", 0o600, "line 2 is no key"},
		"no name":    {secret, 0o600, "line 1 is no key"},
		"long":       {strings.Repeat("# "+secret+"\n", 1<<12), 0o600, "is too long"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		keys, err := signing.ReadKeyFile(file, "test keys", "this test")
		switch {
		case c.want == "" && (err != nil || !strings.Contains(keys.String(), "signs with a1, verifies with 2")):
			t.Errorf("%s: got %v, %v", name, keys, err)
		case c.want != "" && (err == nil || keys != nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), secret[:8]):
			t.Errorf("%s: the error quotes the secret: %v", name, err)
		}
	}
	for name, file := range map[string]string{"absent": filepath.Join(dir, "nowhere"), "a directory": dir} {
		if keys, err := signing.ReadKeyFile(file, "test keys", "this test"); err == nil || keys != nil {
			t.Errorf("%s: got %v, %v", name, keys, err)
		}
	}
	if _, err := signing.NewKeyLine("much too long"); !errors.Is(err, signing.ErrBadKey) {
		t.Errorf("a bad name: got %v", err)
	}
}
