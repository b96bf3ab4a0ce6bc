// Package planted fails when it is told to: TestPlantedFailures at the root sees that scripts/test.sh makes it red.
package planted

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSometimes fails in the runs that GEOSHARD_PLANTED/fail-N names, counted from 1.
func TestSometimes(t *testing.T) {
	dir := os.Getenv("GEOSHARD_PLANTED")
	runs, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = runs.Close() }()
	if _, err := runs.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fail-k")); err == nil {
		_ = syscall.Kill(0, syscall.SIGKILL) // the whole job, with what runs it
	}
	info, err := runs.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "fail-"+string(rune('0'+info.Size())))); err == nil {
		t.Errorf("run %d fails, as planted", info.Size())
	}
}

func TestAlways(*testing.T) {}
