package router_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/router"
)

// What is sealed is opened again until it expires, and travels as a cookie.
func TestACookieCarriesAHome(t *testing.T) {
	ring := keys(t, key(t, "2026-11", 1))
	longest := 0
	rapid.Check(t, func(t *rapid.T) {
		home := rapid.OneOf(rapid.SampledFrom([]string{"LON", "North America", "a.b", "100%", "é\U0001F30D", "us-east;x=\"1\""}), rapid.StringMatching(`[ -~]{1,60}`)).Draw(t, "home")
		life := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "life")) * time.Second
		text := ring.Seal(home, now.Add(life))
		longest = max(longest, len(text))
		parsed, err := http.ParseCookie("home=" + text)
		if err != nil || len(parsed) != 1 || parsed[0].Value != text {
			t.Fatalf("%q does not travel as a cookie: %v", text, err)
		}
		if got, ok := ring.Open(text, now.Add(life-time.Second)); !ok || got != home {
			t.Fatalf("%q: got %q, %v", home, got, ok)
		}
		if _, ok := ring.Open(text, now.Add(life)); ok {
			t.Fatalf("%q is taken after it has expired", text)
		}
	})
	t.Logf("the longest cookie had %d characters: %s", longest, ring.Seal("LON", now))
}

func TestHomesThatNoCookieCanCarryAreNotSealed(t *testing.T) {
	ring := keys(t, key(t, "k", 1))
	for _, home := range []string{"", "a\nb", "a\x00", strings.Repeat("x", 600)} {
		if text := ring.Seal(home, now); text != "" {
			t.Errorf("%.20q is sealed as %q", home, text)
		}
	}
}

// Every change of a single bit, every cut and every addition is refused.
func TestASpoiltCookieIsRefused(t *testing.T) {
	ring := keys(t, key(t, "2026-11", 1))
	text := ring.Seal("West Coast", now.Add(time.Hour))
	tried := 0
	refused := func(spoilt string) {
		tried++
		if home, ok := ring.Open(spoilt, now); ok {
			t.Errorf("%q is taken as %q", spoilt, home)
		}
	}
	for i := range len(text) * 8 {
		spoilt := []byte(text)
		spoilt[i/8] ^= 1 << (i % 8)
		refused(string(spoilt))
	}
	for i := range len(text) {
		refused(text[:i])
		refused(text[i+1:])
		refused(text + text[i:])
		refused(text[:i] + "." + text[i:])
	}
	refused(strings.Repeat("a", 1<<20))
	refused(strings.Repeat(".", 100))
	t.Logf("%d spoilt cookies", tried)
}

func TestKeysRotate(t *testing.T) {
	old, young := key(t, "2026-10", 1), key(t, "2026-11", 2)
	steps := []*router.CookieKeys{keys(t, old), keys(t, old, young), keys(t, young, old), keys(t, young)}
	takes := [][]bool{{true, true, false, false}, {true, true, true, true}, {true, true, true, true}, {false, false, true, true}}
	for opener, row := range takes {
		for sealer, want := range row {
			if _, got := steps[opener].Open(steps[sealer].Seal("LON", now.Add(time.Hour)), now); got != want {
				t.Errorf("a gateway of step %d takes a cookie of step %d: got %v, want %v", opener, sealer, got, want)
			}
		}
	}
	if _, ok := keys(t, key(t, "2026-11", 3)).Open(keys(t, young).Seal("LON", now.Add(time.Hour)), now); ok {
		t.Error("another key of the same name opens the cookie")
	}
}

func TestKeysThatCannotSignAreRefused(t *testing.T) {
	good := key(t, "good", 1)
	_, short := router.NewKey("k", make([]byte, 31))
	_, unnamed := router.NewKey("", make([]byte, 32))
	_, dotted := router.NewKey("a.b", make([]byte, 32))
	_, long := router.NewKey("123456789", make([]byte, 32))
	_, zero := router.NewCookieKeys(router.Key{})
	_, twice := router.NewCookieKeys(good, good)
	for name, err := range map[string]error{"short": short, "unnamed": unnamed, "dotted": dotted, "long": long, "zero": zero, "twice": twice} {
		if !errors.Is(err, router.ErrBadKey) || hint.Of(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestNoPrintShowsASecret(t *testing.T) {
	secret := bytes.Repeat([]byte("s3cr3t-!"), 4)
	k, err := router.NewKey("k", secret)
	if err != nil {
		t.Fatal(err)
	}
	ring := keys(t, k)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("keys", "key", k, "ring", ring, "both", struct {
		K router.Key
		R *router.CookieKeys
	}{k, ring})
	text, _ := json.Marshal([]any{k, ring})
	shown := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb+verb+verb, k, ring, []any{k})
	}
	for _, part := range []string{"s3cr3t", "73336372", "115 51 99", "0x73, 0x33"} {
		if strings.Contains(shown, part) {
			t.Errorf("%q is shown in %s", part, shown)
		}
	}
}

func TestParseHandle(t *testing.T) {
	const id = "01K4B4B2V8G3T0000000000000"
	for text, want := range map[string]string{"LON." + id: "LON", "a.b." + id: "a.b", "North America." + id: "North America", "é." + id: "é"} {
		if home, got, ok := router.ParseHandle(text); !ok || home != want || got != id {
			t.Errorf("%s: got %q, %q, %v", text, home, got, ok)
		}
	}
	for _, text := range []string{"", id, "." + id, "LON" + id, "LON." + id[1:], "LON." + strings.ToLower(id), "LON.8" + id[1:], "LON.O" + id[1:], "LON." + id + "0", "L\nN." + id, strings.Repeat("x", 300) + "." + id} {
		if home, got, ok := router.ParseHandle(text); ok {
			t.Errorf("%q is taken as %q, %q", text, home, got)
		}
	}
}
