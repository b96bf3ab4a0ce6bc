package demo

import "github.com/geoshard/geoshard/signing"

// Tokens opens the causal tokens of the shops, to show what is in them.
func (w *World) Tokens() *signing.Keyring { return w.places[w.homes[0]].tokens }
