//go:build race

package router_test

// The race detector makes pools forget at random what they were given, so a signature may need its hash anew.
const forgotten = 4
