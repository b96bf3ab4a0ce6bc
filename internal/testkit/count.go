package testkit

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

const (
	soakEnv = "GEOSHARD_SOAK"
	seedEnv = "GEOSHARD_SEED"
)

// Soak reports whether the tests run with their full counts: GEOSHARD_SOAK=1, as `make soak` sets it. Any other value
// means an ordinary run.
func Soak() bool { return os.Getenv(soakEnv) == "1" }

// Count returns how often a test does what it repeats: ordinary, or soaking with GEOSHARD_SOAK=1. It logs the count,
// because what a test proves depends on it. An ordinary count is never 0.
func Count(t testing.TB, what string, ordinary, soaking int) int {
	t.Helper()
	if ordinary < 1 {
		t.Fatalf("%s: an ordinary run has a count of %d, want at least 1", what, ordinary)
	}
	n := ordinary
	if Soak() {
		n = soaking
	}
	t.Logf("%s: %d (a soak has %d)", what, n, soaking)
	return n
}

// Seed returns the seed of a test's random choices: GEOSHARD_SEED, or a new one. It logs the seed, so that a failure
// can be repeated.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
	}
	t.Logf("seed %d (%s repeats it)", seed, seedEnv)
	return seed
}
