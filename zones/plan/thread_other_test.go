//go:build !linux

package plan

import (
	"testing"
	"time"
)

// processorTime is how long do takes: the processor's own time of one thread is not asked for here.
func processorTime(t *testing.T, do func()) time.Duration {
	t.Helper()
	began := time.Now()
	do()
	return time.Since(began)
}
