package local_test

import (
	"testing"

	"github.com/shirou/gopsutil/v4/process"
)

// proportional is a process's memory with each shared page divided among those who share it, in bytes.
func proportional(t *testing.T, p *process.Process) float64 {
	t.Helper()
	maps, err := p.MemoryMaps(true)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, m := range *maps {
		total += float64(m.Pss) * 1024
	}
	return total
}
