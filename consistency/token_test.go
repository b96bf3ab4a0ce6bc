package consistency_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

var issued = time.UnixMilli(1_790_000_000_123)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func key(t testing.TB, id string, b byte) signing.Key {
	t.Helper()
	k, err := signing.NewKey(id, secret(b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ring(t testing.TB, first signing.Key, verifying ...signing.Key) *signing.Keyring {
	t.Helper()
	r, err := signing.NewKeyring(first, verifying...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// largest is a token with the longest of everything.
func largest() consistency.Token {
	t := consistency.Token{
		Home: topology.DatacenterID(strings.Repeat("x", 32)), OperationTime: bson.Timestamp{T: 1_790_000_000, I: 7},
		ClusterTime: bson.Timestamp{T: 1_790_000_000, I: 8}, Issued: issued,
	}
	copy(t.Signature.Hash[:], secret(0xff))
	t.Signature.KeyID = -1
	return t
}

func smallest() consistency.Token {
	return consistency.Token{OperationTime: bson.Timestamp{T: 1}, ClusterTime: bson.Timestamp{T: 1}, Issued: issued}
}

// Tokens travel between processes of several versions, so their text does not change.
func TestTheTextOfATokenStays(t *testing.T) {
	want := "AQAHMjAyNi0xMQNMT05qsTt_AAAAA2qxO4AAAAAAAaDEUGx7I4LdTJ1AJuTK14uxxiw69w"
	token := consistency.Token{Home: "LON", OperationTime: bson.Timestamp{T: 1_789_999_999, I: 3}, ClusterTime: bson.Timestamp{T: 1_790_000_000}, Issued: issued}
	if got := seal(t, ring(t, key(t, "2026-11", 1)), token); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func seal(t testing.TB, r *signing.Keyring, token consistency.Token) string {
	t.Helper()
	text, err := token.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsSealedIsOpenedAgainAndFitsIntoACookie(t *testing.T) {
	r := ring(t, key(t, "12345678", 1))
	longest := 0
	rapid.Check(t, func(t *rapid.T) {
		operation := bson.Timestamp{T: rapid.Uint32Range(1, 1_790_000_030).Draw(t, "T"), I: rapid.Uint32().Draw(t, "I")}
		token := consistency.Token{
			Home: topology.DatacenterID(rapid.StringMatching(`[A-Za-z0-9_-]{0,32}`).Draw(t, "home")), OperationTime: operation,
			ClusterTime: bson.Timestamp{T: rapid.Uint32Range(operation.T, 1_790_000_030).Draw(t, "cluster"), I: operation.I},
			Issued:      issued.Add(-time.Duration(rapid.Int64Range(0, 3_600_000).Draw(t, "age")) * time.Millisecond),
		}
		if rapid.Bool().Draw(t, "signed") {
			token.Signature.KeyID = rapid.Int64Min(1).Draw(t, "keyId")
		}
		text, err := token.Seal(r)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, len(text))
		got, err := consistency.OpenToken(r, text, issued, consistency.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(token, got); diff != "" {
			t.Fatal(diff)
		}
	})
	most := len(seal(t, r, largest()))
	t.Logf("longest drawn %d, longest possible %d, shortest possible %d characters", longest, most, len(seal(t, ring(t, key(t, "k", 1)), smallest())))
	if most > consistency.MaxTokenSize {
		t.Errorf("got %d characters, want at most %d", most, consistency.MaxTokenSize)
	}
}

var refusals = []error{consistency.ErrTokenForged, consistency.ErrTokenMalformed, consistency.ErrUnknownKey, consistency.ErrTokenExpired, consistency.ErrTokenFuture}

// refused opens a text that has to be refused for one of the reasons.
func refused(t *testing.T, r *signing.Keyring, text, what string) {
	t.Helper()
	got, err := consistency.OpenToken(r, text, issued, consistency.Limits{})
	known := false
	for _, reason := range refusals {
		known = known || errors.Is(err, reason)
	}
	if !known || got != (consistency.Token{}) {
		t.Errorf("%s: got %+v, %v", what, got, err)
	}
	if err != nil && hint.Of(err) == "" {
		t.Errorf("%s: %v has no hint", what, err)
	}
}

func TestEverySingleBitFlipIsRefused(t *testing.T) {
	r := ring(t, key(t, "2026-11", 1))
	tried := 0
	for name, token := range map[string]consistency.Token{"largest": largest(), "smallest": smallest()} {
		text := seal(t, r, token)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(raw) * 8 {
			flipped := bytes.Clone(raw)
			flipped[i/8] ^= 1 << (i % 8)
			refused(t, r, base64.RawURLEncoding.EncodeToString(flipped), name+": bit of the bytes")
			tried++
		}
		for i := range len(text) * 8 {
			flipped := []byte(text)
			flipped[i/8] ^= 1 << (i % 8)
			refused(t, r, string(flipped), name+": bit of the text")
			tried++
		}
	}
	t.Logf("%d flips", tried)
}

func TestEveryTruncationAndExtensionIsRefused(t *testing.T) {
	r := ring(t, key(t, "k", 1))
	tried := 0
	for _, token := range []consistency.Token{largest(), smallest()} {
		text := seal(t, r, token)
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(text) {
			refused(t, r, text[:n], "shortened at the end")
			refused(t, r, text[n+1:], "shortened at the beginning")
			refused(t, r, text[:n]+"\n"+text[n:], "with a line break") // which Go's decoder passes over
			tried += 3
		}
		for n := range len(raw) {
			refused(t, r, base64.RawURLEncoding.EncodeToString(raw[:n]), "shortened bytes")
			tried++
		}
		for _, more := range []string{"=", "A", "AA", "AAAA", " ", text} {
			refused(t, r, text+more, "longer by "+more)
			tried++
		}
	}
	t.Logf("%d texts", tried)
}

func TestRefusalsHaveTheirReason(t *testing.T) {
	mine, other := key(t, "mine", 1), key(t, "mine", 2)
	r := ring(t, mine, key(t, "old", 3))
	at := func(change func(*consistency.Token)) string {
		token := largest()
		change(&token)
		return seal(t, r, token)
	}
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"another secret under the same name", seal(t, ring(t, other), largest()), consistency.ErrTokenForged},
		{"a key that nobody gave us", seal(t, ring(t, key(t, "new", 4)), largest()), consistency.ErrUnknownKey},
		{"as old as allowed", at(func(k *consistency.Token) { k.Issued = issued.Add(-time.Hour) }), nil},
		{"older", at(func(k *consistency.Token) { k.Issued = issued.Add(-time.Hour - time.Millisecond) }), consistency.ErrTokenExpired},
		{"as far ahead as clocks may be", at(func(k *consistency.Token) { k.Issued = issued.Add(30 * time.Second) }), nil},
		{"further ahead", at(func(k *consistency.Token) { k.Issued = issued.Add(30*time.Second + time.Millisecond) }), consistency.ErrTokenFuture},
		{"cluster time as far ahead as clocks may be", at(func(k *consistency.Token) { k.ClusterTime.T = 1_790_000_030 }), nil},
		{"cluster time further ahead", at(func(k *consistency.Token) { k.ClusterTime.T = 1_790_000_031 }), consistency.ErrTokenFuture},
		{"operation and cluster time further ahead", at(func(k *consistency.Token) { k.ClusterTime.T, k.OperationTime.T = 1<<32-1, 1<<32-1 }), consistency.ErrTokenFuture},
		{"nothing", "", consistency.ErrTokenMalformed},
		{"not base64url", strings.Repeat("+", 100), consistency.ErrTokenMalformed},
		{"too long", strings.Repeat("A", 10_000_000), consistency.ErrTokenMalformed},
	} {
		if _, err := consistency.OpenToken(r, c.text, issued, consistency.Limits{}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestTokensThatOpenWouldRefuseAreNotSealed(t *testing.T) {
	r := ring(t, key(t, "k", 1))
	for name, change := range map[string]func(*consistency.Token){
		"no operation time":               func(k *consistency.Token) { k.OperationTime = bson.Timestamp{} },
		"operation after cluster time":    func(k *consistency.Token) { k.OperationTime.I = 9 },
		"datacenter with a longer name":   func(k *consistency.Token) { k.Home += "x" },
		"issued before the epoch":         func(k *consistency.Token) { k.Issued = time.Unix(-1, 0) },
		"issued when nobody lives longer": func(k *consistency.Token) { k.Issued = time.UnixMilli(1 << 48) },
	} {
		token := largest()
		change(&token)
		if text, err := token.Seal(r); !errors.Is(err, consistency.ErrTokenMalformed) || text != "" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}

// A rotation in three steps: nobody's token is refused at any time.
func TestKeysRotate(t *testing.T) {
	old, fresh := key(t, "old", 1), key(t, "new", 2)
	before, both, turned, after := ring(t, old), ring(t, old, fresh), ring(t, fresh, old), ring(t, fresh)
	opens := func(r *signing.Keyring, text string) error {
		_, err := consistency.OpenToken(r, text, issued, consistency.Limits{})
		return err
	}
	for name, c := range map[string]struct {
		by, to *signing.Keyring
		want   error
	}{
		"before to both": {before, both, nil}, "both to before": {both, before, nil}, "both to turned": {both, turned, nil}, "turned to both": {turned, both, nil},
		"turned to after": {turned, after, nil}, "old to after": {both, after, consistency.ErrUnknownKey},
	} {
		if err := opens(c.to, seal(t, c.by, largest())); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// FuzzOpen looks for a text that is taken and was not sealed: whatever opens must seal to itself, and nothing may panic.
func FuzzOpen(f *testing.F) {
	r := ring(f, key(f, "k", 1), key(f, "2026-11", 2))
	sealed := []string{seal(f, r, largest()), seal(f, r, smallest()), seal(f, ring(f, key(f, "2026-11", 2)), largest()), seal(f, ring(f, key(f, "k", 9)), largest())}
	for _, s := range append(sealed, "", "AQ", strings.Repeat("A", 150)) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := consistency.OpenToken(r, text, issued, consistency.Limits{})
		if err != nil {
			return
		}
		for _, s := range sealed[:3] {
			if s == text {
				return
			}
		}
		t.Errorf("%q opens to %+v", text, token)
	})
}

// FuzzPayload signs arbitrary payloads with the right key, as a faulty or newer build might: Open refuses them or reads what seals to the same.
func FuzzPayload(f *testing.F) {
	mine := key(f, "k", 1)
	r := ring(f, mine)
	for _, token := range []consistency.Token{largest(), smallest()} {
		raw, err := base64.RawURLEncoding.DecodeString(seal(f, r, token))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:len(raw)-16])
	}
	f.Add(binary.BigEndian.AppendUint64([]byte{1, 2, 1, 'k', 40}, 1))
	f.Fuzz(func(t *testing.T, payload []byte) {
		text := consistency.SignForTest(mine, payload)
		token, err := consistency.OpenToken(r, text, issued, consistency.Limits{})
		if err != nil {
			return
		}
		if again := seal(t, r, token); again != text {
			t.Errorf("%x opens and seals to another text", payload)
		}
	})
}

// FuzzForged seals with the key's name and another secret: it is refused, whatever else is right.
func FuzzForged(f *testing.F) {
	mine := ring(f, key(f, "k", 1))
	f.Add(secret(2), uint32(1_790_000_000))
	f.Add(append(secret(1), 1), uint32(1_790_000_000)) // longer by a byte
	f.Fuzz(func(t *testing.T, other []byte, at uint32) {
		forger, err := signing.NewKey("k", other)
		if err != nil || at == 0 || bytes.Equal(other, secret(1)) {
			return
		}
		token := consistency.Token{Home: "LON", OperationTime: bson.Timestamp{T: at}, ClusterTime: bson.Timestamp{T: at}, Issued: issued}
		if got, err := consistency.OpenToken(mine, seal(t, ring(t, forger), token), issued, consistency.Limits{}); !errors.Is(err, consistency.ErrTokenForged) || got != (consistency.Token{}) {
			t.Errorf("got %+v, %v, want ErrTokenForged", got, err)
		}
	})
}

// FuzzTimes opens tokens of any times at any time, under any limits: what is too old or too far ahead is refused, and nothing else is.
func FuzzTimes(f *testing.F) {
	r := ring(f, key(f, "k", 1))
	now := issued.UnixMilli()
	for _, off := range []int64{0, -3_600_000, -3_600_001, 30_000, 30_001} {
		f.Add(now, now+off, uint32(now/1000), uint16(0), uint16(0))
	}
	f.Add(now, now, uint32(now/1000+31), uint16(0), uint16(30))
	f.Add(now, now, uint32(1<<32-1), uint16(1), uint16(1))
	f.Fuzz(func(t *testing.T, now, made int64, cluster uint32, age, skew uint16) {
		const most = 1<<48 - 1
		if now < 0 || now > most || made < 0 || made > most || cluster == 0 {
			return
		}
		limits := consistency.Limits{MaxAge: time.Duration(age) * time.Second, MaxSkew: time.Duration(skew) * time.Second}
		maxAge, maxSkew := int64(age)*1000, int64(skew)*1000 // in milliseconds, without the package's own arithmetic
		if age == 0 {
			maxAge = consistency.DefaultMaxAge.Milliseconds()
		}
		if skew == 0 {
			maxSkew = consistency.DefaultMaxSkew.Milliseconds()
		}
		token := consistency.Token{OperationTime: bson.Timestamp{T: cluster}, ClusterTime: bson.Timestamp{T: cluster}, Issued: time.UnixMilli(made)}
		expired, future := now-made > maxAge, made-now > maxSkew || int64(cluster) > (now+maxSkew)/1000
		_, err := consistency.OpenToken(r, seal(t, r, token), time.UnixMilli(now), limits)
		if errors.Is(err, consistency.ErrTokenExpired) != expired || errors.Is(err, consistency.ErrTokenFuture) != (future && !expired) || (err == nil) == (expired || future) {
			t.Errorf("made %d ms before now, cluster time %d, now %d: got %v, want expired %v, future %v", now-made, cluster, now, err, expired, future)
		}
	})
}
