package router_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
)

// What is sealed is opened again until it expires, and travels as a cookie.
func TestACookieCarriesAHome(t *testing.T) {
	ring := keys(t, key(t, "2026-11", 1))
	longest := 0
	rapid.Check(t, func(t *rapid.T) {
		home := rapid.OneOf(rapid.SampledFrom([]string{"LON", "North America", "a.b", "100%", "é\U0001F30D", "us-east;x=\"1\""}), rapid.StringMatching(`[ -~]{1,60}`)).Draw(t, "home")
		life := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "life")) * time.Second
		text := router.SealCookie(ring, home, now.Add(life))
		longest = max(longest, len(text))
		parsed, err := http.ParseCookie("home=" + text)
		if err != nil || len(parsed) != 1 || parsed[0].Value != text {
			t.Fatalf("%q does not travel as a cookie: %v", text, err)
		}
		if got, ok := router.OpenCookie(ring, text, now.Add(life-time.Second)); !ok || got != home {
			t.Fatalf("%q: got %q, %v", home, got, ok)
		}
		if _, ok := router.OpenCookie(ring, text, now.Add(life)); ok {
			t.Fatalf("%q is taken after it has expired", text)
		}
	})
	t.Logf("the longest cookie had %d characters: %s", longest, router.SealCookie(ring, "LON", now))
}

// Cookies outlive the gateways that sealed them, so their text does not change.
func TestTheTextOfACookieStays(t *testing.T) {
	want := "2026-11.tlpzm8.North%20America.tRbVHvaXmRqDsOSApZZWJA"
	if got := router.SealCookie(keys(t, key(t, "2026-11", 1)), "North America", now.Add(time.Hour)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHomesThatNoCookieCanCarryAreNotSealed(t *testing.T) {
	ring := keys(t, key(t, "k", 1))
	for _, home := range []string{"", "a\nb", "a\x00", strings.Repeat("x", 600)} {
		if text := router.SealCookie(ring, home, now); text != "" {
			t.Errorf("%.20q is sealed as %q", home, text)
		}
	}
}

// Every change of a single bit, every cut and every addition is refused.
func TestASpoiltCookieIsRefused(t *testing.T) {
	ring := keys(t, key(t, "2026-11", 1))
	text := router.SealCookie(ring, "West Coast", now.Add(time.Hour))
	tried := 0
	refused := func(spoilt string) {
		tried++
		if home, ok := router.OpenCookie(ring, spoilt, now); ok {
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
	steps := []*signing.Keyring{keys(t, old), keys(t, old, young), keys(t, young, old), keys(t, young)}
	takes := [][]bool{{true, true, false, false}, {true, true, true, true}, {true, true, true, true}, {false, false, true, true}}
	for opener, row := range takes {
		for sealer, want := range row {
			if _, got := router.OpenCookie(steps[opener], router.SealCookie(steps[sealer], "LON", now.Add(time.Hour)), now); got != want {
				t.Errorf("a gateway of step %d takes a cookie of step %d: got %v, want %v", opener, sealer, got, want)
			}
		}
	}
	if _, ok := router.OpenCookie(keys(t, key(t, "2026-11", 3)), router.SealCookie(keys(t, young), "LON", now.Add(time.Hour)), now); ok {
		t.Error("another key of the same name opens the cookie")
	}
}

// An identifier may have dots, which separate the parts of a cookie.
func TestAKeyWithDotsSealsCookies(t *testing.T) {
	ring := keys(t, key(t, "k", 1), key(t, "2026.11", 2), key(t, "..", 3))
	for _, k := range []signing.Key{key(t, "2026.11", 2), key(t, "..", 3)} {
		if home, ok := router.OpenCookie(ring, router.SealCookie(keys(t, k), "a.b", now.Add(time.Hour)), now); !ok || home != "a.b" {
			t.Errorf("%s: got %q, %v", k, home, ok)
		}
	}
}

// Any identifier that a URL carries unescaped is taken as it is, and nothing else.
func TestIdentifiersAreOpaque(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[0-9A-Za-z_~-]{1,128}|[ -~]{0,40}|[0-9A-Za-z]{127,130}|\PC{0,5}`).Draw(t, "identifier")
		want := id != "" && len(id) <= 128 && url.PathEscape(id) == id && !strings.ContainsAny(id, ".$&+:=@")
		home, got, ok := router.ParseHandle("NYC." + id)
		if strings.Contains(id, ".") {
			ok = ok && got == id // the home is all before the last dot
		}
		if ok != want || ok && (home != "NYC" || got != id) {
			t.Errorf("%q: got %q, %q, %t, want %t", id, home, got, ok, want)
		}
		if want {
			taken++
		}
	})
	if taken == 0 {
		t.Error("no identifier was drawn that is one")
	}
}

func TestParseHandle(t *testing.T) {
	const id = "01K4B4B2V8G3T0000000000000"
	for text, want := range map[string][2]string{
		"LON." + id: {"LON", id}, "a.b." + id: {"a.b", id}, "North America." + id: {"North America", id}, "é." + id: {"é", id},
		"LON." + strings.ToLower(id):               {"LON", strings.ToLower(id)},
		"LON.507f1f77bcf86cd799439011":             {"LON", "507f1f77bcf86cd799439011"},
		"LON.0190163d-8694-739b-aea5-966c26f8ad91": {"LON", "0190163d-8694-739b-aea5-966c26f8ad91"},
		"LON.42": {"LON", "42"},
	} {
		if home, got, ok := router.ParseHandle(text); !ok || home != want[0] || got != want[1] {
			t.Errorf("%s: got %q, %q, %v", text, home, got, ok)
		}
	}
	for _, text := range []string{"", id, "." + id, "LON" + id, "LON.", "LON.a b", "LON.a/b", "LON.a%2Fb", "LON.é", "L\nN." + id, strings.Repeat("x", 300) + "." + id, "LON." + strings.Repeat("x", 129)} {
		if home, got, ok := router.ParseHandle(text); ok {
			t.Errorf("%q is taken as %q, %q", text, home, got)
		}
	}
}
