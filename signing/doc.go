// Package signing makes and checks the signatures of what users carry from one process to another: the causal tokens of package consistency and the
// affinity cookies of package router.
//
// A [Key] has an identifier that everybody may read and a secret that it never prints. A [Keyring] signs with one key and finds any of its keys by
// its identifier, so that keys can be replaced while old signatures are still around. One ring can serve for tokens and cookies: each signature says what
// it is for.
//
//	key, err := signing.NewKey("2026-11", secret)
//	keys, err := signing.NewKeyring(key)
//	text, err := token.Seal(keys)                       // package consistency
//	text := router.SealCookie(keys, "LON", expiry)
package signing
