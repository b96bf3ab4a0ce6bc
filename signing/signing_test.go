package signing_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/signing"
)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// Whatever prints a key or a keyring, also deep inside other values, prints no byte of a secret.
func TestNoSecretIsPrinted(t *testing.T) {
	raw := []byte("0123456789 this is the secret 0123456789")
	k, err := signing.NewKey("k1", raw)
	if err != nil {
		t.Fatal(err)
	}
	other, err := signing.NewKey("k2", secret(7))
	if err != nil {
		t.Fatal(err)
	}
	r, err := signing.NewKeyring(k, other)
	if err != nil {
		t.Fatal(err)
	}
	type inside struct {
		Key  signing.Key
		Ring *signing.Keyring
		k    signing.Key
		r    *signing.Keyring
		v    signing.Keyring
	}
	values := []any{k, &k, r, *r, inside{k, r, k, r, *r}, &inside{k, r, k, r, *r}, []any{k, r}, map[string]any{"k": k, "r": r}}
	var out strings.Builder
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("key", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "v", v)
	}
	_, tooShort := signing.NewKey("short", raw[:31])
	_, badID := signing.NewKey("no spaces", raw)
	fmt.Fprintln(&out, tooShort, badID, k.String(), r.String())
	text := strings.ToLower(out.String())
	decimal := strings.Trim(fmt.Sprint(raw[:8]), "[]")
	for _, form := range []string{"this is the secret", hex.EncodeToString(raw[:8]), decimal, strings.ReplaceAll(decimal, " ", ", "), "0x30, 0x31"} {
		if strings.Contains(text, form) {
			t.Errorf("printed %q", form)
		}
	}
	if !strings.Contains(out.String(), "key k1") {
		t.Error("the identifier is not printed either")
	}
	t.Logf("%d bytes of output", out.Len())
}

func TestKeysAreChecked(t *testing.T) {
	good, err := signing.NewKey("a.b_c-d", secret(1))
	if err != nil {
		t.Fatal(err)
	}
	for name, made := range map[string]func() error{
		"no identifier":       func() error { _, err := signing.NewKey("", secret(1)); return err },
		"long identifier":     func() error { _, err := signing.NewKey("123456789", secret(1)); return err },
		"identifier of signs": func() error { _, err := signing.NewKey("a\nb", secret(1)); return err },
		"short secret":        func() error { _, err := signing.NewKey("k", secret(1)[:31]); return err },
		"zero key":            func() error { _, err := signing.NewKeyring(signing.Key{}); return err },
		"zero verifying key":  func() error { _, err := signing.NewKeyring(good, signing.Key{}); return err },
		"twice the same name": func() error { _, err := signing.NewKeyring(good, good); return err },
	} {
		if err := made(); !errors.Is(err, signing.ErrBadKey) || hint.Of(err) == "" {
			t.Errorf("%s: got %v, want ErrBadKey with a hint", name, err)
		}
	}
}

func TestAKeyKeepsItsSecretWhenTheCallersBytesChange(t *testing.T) {
	raw := secret(1)
	k, err := signing.NewKey("k", raw)
	if err != nil {
		t.Fatal(err)
	}
	before := k.Sum("a test", "text")
	copy(raw, bytes.Repeat([]byte{9}, 32))
	if after := k.Sum("a test", "text"); after != before {
		t.Error("the signature changed with the caller's slice")
	}
}
