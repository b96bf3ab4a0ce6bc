package signing_test

import (
	"bytes"
	"fmt"

	"github.com/geoshard/geoshard/signing"
)

// A new key signs, and what the old one has signed is still taken.
func Example() {
	old, _ := signing.NewKey("2026-10", bytes.Repeat([]byte("not random, "), 3))
	young, _ := signing.NewKey("2026-11", bytes.Repeat([]byte("nor is this, "), 3))
	keys, _ := signing.NewKeyring(young, old)
	sum := old.Sum("my ticket", "seat 12")

	key, known := keys.Key("2026-10")
	fmt.Println(known, key.Signed("my ticket", "seat 12", sum[:]), key.Signed("my ticket", "seat 13", sum[:]), key.Signed("my coupon", "seat 12", sum[:]))
	fmt.Println(keys)
	// Output:
	// true true false false
	// keyring (signs with 2026-11, verifies with 2)
}
