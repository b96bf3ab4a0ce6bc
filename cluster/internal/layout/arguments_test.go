package layout

import (
	"slices"
	"strings"
	"testing"
)

// Whoever starts a server, the emulated network must be able to read what it sends.
func TestServersDoNotCompress(t *testing.T) {
	for _, kind := range []Kind{Data, Arbiter, Config, Core} {
		args := Node{Kind: kind, Set: "nyc"}.ServerArguments(0.25, 64)
		if !strings.Contains(strings.Join(args, " "), "--networkMessageCompressors disabled") {
			t.Errorf("kind %d: got %v", kind, args)
		}
		if slices.Contains(args, "--configsvr") != (kind == Config) || slices.Contains(args, "--shardsvr") == (kind == Config) {
			t.Errorf("kind %d: got %v", kind, args)
		}
	}
}
