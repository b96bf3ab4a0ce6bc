package gateway_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/signing"
)

func keysOf(t testing.TB, ids ...string) *signing.Keyring {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	text := ""
	for _, name := range ids {
		text += name + " " + strings.Repeat(name[:1], 43) + "=\n" // the same name is the same key
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := signing.ReadKeyFile(file, "cookie keys", "this test")
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// San Francisco's new record is made in its place, and its user's later requests go there from anywhere, by the cookie alone; after a rotation too.
func TestTheCookieLeadsHome(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Keys = keysOf(t, "A") })
	a := s.ask(http.MethodPost, "/v1/carts", "", "X-Geoshard-Place", "SYD")
	cookies := a.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "geoshard_home" || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("got cookies %v", cookies)
	}
	cookie := "geoshard_home=" + cookies[0].Value
	goes := func() string {
		return s.ask(http.MethodPost, "/checkout", "", "Cookie", cookie).Header.Get("X-Served-By")
	}
	if got := goes(); got != "SYD" {
		t.Errorf("with the cookie: got %q, want SYD", got)
	}
	if got := s.ask(http.MethodPost, "/checkout", "", "Cookie", cookie+"x").Header.Get("X-Served-By"); got == "SYD" {
		t.Error("a forged cookie was believed")
	}
	for _, step := range []struct {
		keys []string
		want bool
	}{{[]string{"A", "B"}, true}, {[]string{"B", "A"}, true}, {[]string{"B"}, false}} {
		if err := s.gate.Reload(s.world, keysOf(t, step.keys...)); err != nil {
			t.Fatal(err)
		}
		if got := goes() == "SYD"; got != step.want {
			t.Errorf("keys %v: the cookie leads home: %v, want %v", step.keys, got, step.want)
		}
	}
}

// A token that can be guessed, or that others can read, is refused.
func TestTokenFilesAreChecked(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"good":   {"0123456789abcdef\n", 0o600, ""},
		"short":  {"short\n", 0o600, "at least"},
		"two":    {"0123456789abcdef 0123456789abcdef\n", 0o600, "one word"},
		"others": {"0123456789abcdef\n", 0o604, "others can read"},
	} {
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.ReadTokenFile(file); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
