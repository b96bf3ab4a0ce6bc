package consistency_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/consistency"
)

// Whatever prints a key or a keyring, also deep inside other values, prints no byte of a secret.
func TestNoSecretIsPrinted(t *testing.T) {
	raw := []byte("0123456789 this is the secret 0123456789")
	k, err := consistency.NewKey("k1", raw)
	if err != nil {
		t.Fatal(err)
	}
	r := ring(t, k, key(t, "k2", 7))
	type inside struct {
		Key  consistency.Key
		Ring *consistency.Keyring
		k    consistency.Key
		r    *consistency.Keyring
		v    consistency.Keyring
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
	_, tooShort := consistency.NewKey("short", raw[:31])
	_, badID := consistency.NewKey("no spaces", raw)
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
	good := key(t, "k", 1)
	for name, made := range map[string]func() error{
		"no identifier":       func() error { _, err := consistency.NewKey("", secret(1)); return err },
		"long identifier":     func() error { _, err := consistency.NewKey("123456789", secret(1)); return err },
		"identifier of signs": func() error { _, err := consistency.NewKey("a\nb", secret(1)); return err },
		"short secret":        func() error { _, err := consistency.NewKey("k", secret(1)[:31]); return err },
		"zero key":            func() error { _, err := consistency.NewKeyring(consistency.Key{}); return err },
		"zero verifying key":  func() error { _, err := consistency.NewKeyring(good, consistency.Key{}); return err },
		"twice the same name": func() error { _, err := consistency.NewKeyring(good, key(t, "k", 2)); return err },
	} {
		if err := made(); !errors.Is(err, consistency.ErrBadKey) {
			t.Errorf("%s: got %v, want ErrBadKey", name, err)
		}
	}
}

func TestAKeyKeepsItsSecretWhenTheCallersBytesChange(t *testing.T) {
	raw := secret(1)
	k, err := consistency.NewKey("k", raw)
	if err != nil {
		t.Fatal(err)
	}
	before := seal(t, ring(t, k), largest())
	copy(raw, bytes.Repeat([]byte{9}, 32))
	if after := seal(t, ring(t, k), largest()); after != before {
		t.Error("the signature changed with the caller's slice")
	}
}
