package mongobin

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

// probeTimeout bounds `mongod --version`, which takes about 0.1 s from a warm disk and some seconds from a cold one.
const probeTimeout = 30 * time.Second

// loaderFailed is the exit status of a program whose dynamic loader gave up.
const loaderFailed = 127

// probe runs a program with --version and returns what it says. want is the word before "version" in the answer: "db" or "mongos".
// Its errors are around ErrNotExecutable, ErrWrongArchitecture, ErrMissingLibraries, ErrTooOld or ErrCorrupt, or the context's.
func probe(ctx context.Context, path, want string) (v serverversion.Version, err error) {
	if err := checkFile(path); err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if ctx.Err() != nil {
		return v, fmt.Errorf("check %s: %w", path, ctx.Err())
	}
	if err != nil {
		return v, explainExec(ctx, path, out, err)
	}
	return readVersion(path, want, out)
}

func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return hint.Errorf("give the path of an existing program, or run: geoshard mongodb install", "check %s: %w", path, err)
	case info.IsDir():
		return hint.Errorf("give the path of the program, not of its directory", "check %s: %w: it is a directory", path, ErrNotExecutable)
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return hint.Errorf("run: chmod +x "+path, "check %s: %w", path, ErrNotExecutable)
	}
	return nil
}

// explainExec turns the failure of `PROGRAM --version` into its cause.
func explainExec(ctx context.Context, path string, out []byte, err error) error {
	machine := runtime.GOOS + "/" + runtime.GOARCH
	if errors.Is(err, wrongFormat) {
		return hint.Errorf("use a MongoDB for "+machine+", or run: geoshard mongodb install",
			"check %s: %w: this machine is %s%s", path, ErrWrongArchitecture, machine, elfMachine(path))
	}
	// The file is there (checkFile), so what does not exist is the loader that it names: another C library, or another machine's.
	if loader := elfLoader(path); errors.Is(err, fs.ErrNotExist) && loader != "" {
		return missingLibraries(path, []string{loader})
	}
	if errors.Is(err, fs.ErrPermission) {
		return hint.Errorf("run: chmod +x "+path+"; its disk must not be mounted noexec", "check %s: %w: %w", path, ErrNotExecutable, err)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == loaderFailed {
		if libs := unresolvedLibraries(ctx, path); len(libs) > 0 {
			return missingLibraries(path, libs)
		}
	}
	return hint.Errorf("remove it and run: geoshard mongodb install; or "+ownBinary, "check %s: %w: %w: %s", path, ErrCorrupt, err, lastLine(out))
}

func missingLibraries(path string, libs []string) error {
	return hint.Errorf("install the packages that hold them (on Debian 12 and Ubuntu: apt-get install libcurl4 libssl3), or "+ownBinary,
		"check %s: %w: %s", path, ErrMissingLibraries, strings.Join(libs, ", "))
}

// versionLine matches what mongod ("db version v6.0.5") and mongos ("mongos version v6.0.5") print first for --version.
var versionLine = regexp.MustCompile(`(?m)^(db|mongos) version (v\S+)`)

func readVersion(path, want string, out []byte) (v serverversion.Version, err error) {
	m := versionLine.FindSubmatch(out)
	if m == nil || string(m[1]) != want {
		answer, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return v, hint.Errorf("give the path of MongoDB's own program, or run: geoshard mongodb install",
			"check %s: %w: --version answers %q, not %q", path, ErrCorrupt, answer, want+" version …")
	}
	if v, err = serverversion.Parse(string(m[2])); err != nil {
		return v, hint.Errorf(ownBinary, "check %s: %w: %w", path, ErrCorrupt, err)
	}
	if v.Less(serverversion.Oldest) {
		return v, hint.Errorf("install a newer MongoDB, or run: geoshard mongodb install",
			"check %s: %w: version %s, and %s is the oldest that works", path, ErrTooOld, v, serverversion.Oldest)
	}
	return v, nil
}

// unresolvedLibraries asks the program's own loader, in the way ldd does, for the libraries that it cannot find: the message of
// a program that does not start names only the first.
func unresolvedLibraries(ctx context.Context, path string) []string {
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append(os.Environ(), "LD_TRACE_LOADED_OBJECTS=1")
	out, _ := cmd.Output() // it exits with an error when something is missing; the list is what counts
	var libs []string
	for line := range strings.Lines(string(out)) {
		if name, _, missing := strings.Cut(strings.TrimSpace(line), " => not found"); missing {
			libs = append(libs, name)
		}
	}
	return libs
}

// elfMachine returns ", the file is for …" for a Linux program, "" for anything else.
func elfMachine(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return ", the file is for " + strings.TrimPrefix(f.Machine.String(), "EM_")
}

// elfLoader returns the dynamic loader that a Linux program names, "" when it names none.
func elfLoader(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err == nil {
			return string(bytes.TrimRight(name, "\x00"))
		}
	}
	return ""
}

func lastLine(b []byte) string {
	s := strings.TrimSpace(string(b))
	return s[strings.LastIndex(s, "\n")+1:]
}
