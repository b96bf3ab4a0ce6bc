//go:build !linux

package local_test

import (
	"testing"

	"github.com/shirou/gopsutil/v4/process"
)

// proportional is 0: only Linux counts it.
func proportional(*testing.T, *process.Process) float64 { return 0 }
