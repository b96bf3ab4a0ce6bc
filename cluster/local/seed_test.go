package local_test

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// seedOf returns GEOSHARD_SEED, or a new seed, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("GEOSHARD_SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("GEOSHARD_SEED: %v", err)
		}
	}
	t.Logf("GEOSHARD_SEED=%d", seed)
	return seed
}
