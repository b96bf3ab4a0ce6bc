package mongobin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/serverversion"
)

const testArchive = "linux/mongodb-linux-x86_64-test-8.0.32.tgz"

// printsVersion is the content of a program that answers --version; the tests are about bringing files, whatever they do.
func printsVersion(first string) []byte { return []byte("#!/bin/sh\necho '" + first + "'\n") }

// archiveOf packs files as MongoDB does, with others around them.
func archiveOf(t testing.TB, level int, programs map[string][]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(zw)
	programs["README"] = []byte("not wanted")
	for name, content := range programs {
		folder := "mongodb-test/bin/"
		if name == "README" {
			folder = "mongodb-test/"
		}
		if err := tw.WriteHeader(&tar.Header{Name: folder + name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// goodArchive holds both programs of one release, and enough incompressible bytes for a download to be interrupted.
func goodArchive(t testing.TB) []byte {
	padding := make([]byte, 1<<20)
	for i, x := 0, uint32(1); i < len(padding); i++ {
		x = x*1664525 + 1013904223
		padding[i] = byte(x >> 24)
	}
	return archiveOf(t, gzip.BestSpeed, map[string][]byte{
		"mongod": append(append(printsVersion("db version v8.0.32"), "exit\n"...), padding...), "mongos": printsVersion("mongos version v8.0.32"), "mongod.debug": padding})
}

// A site is a local download site with one archive, which can be made to misbehave.
type site struct {
	*httptest.Server
	archive []byte
	path    string
	sum     string        // published checksum; the right one at first
	cut     int           // the connection ends after that many bytes; 0 = never
	started chan struct{} // a slow site signals here that the first half is out; nil = the site is fast
	goOn    chan struct{} // and waits here
	missing bool
	refuses bool // 403, as a proxy answers that does not let one through
	hits    atomic.Int32
}

// newSite starts a site. What another process meets there has to be told here: nothing orders a later change before that process's request.
func newSite(t testing.TB, archive []byte, traits ...func(*site)) *site {
	sum := sha256.Sum256(archive)
	s := &site{archive: archive, path: testArchive, sum: hex.EncodeToString(sum[:])}
	for _, trait := range traits {
		trait(s)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// slow makes a site stop in the middle of the archive.
func slow(s *site) { s.started, s.goOn = make(chan struct{}), make(chan struct{}) }

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.refuses:
		http.Error(w, "not from here", http.StatusForbidden)
	case s.missing || !strings.HasPrefix(r.URL.Path, "/"+s.path):
		http.NotFound(w, r)
	case strings.HasSuffix(r.URL.Path, ".sha256"):
		fmt.Fprintf(w, "%s  %s\n", s.sum, path.Base(s.path))
	default:
		s.hits.Add(1)
		s.serveArchive(w, r)
	}
}

func (s *site) serveArchive(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(s.archive)))
	if s.cut > 0 {
		_, _ = w.Write(s.archive[:s.cut])
		panic(http.ErrAbortHandler)
	}
	half := len(s.archive) / 2
	_, _ = w.Write(s.archive[:half])
	if s.started != nil {
		w.(http.Flusher).Flush()
		s.started <- struct{}{}
		select {
		case <-s.goOn:
		case <-r.Context().Done():
			return
		}
	}
	_, _ = w.Write(s.archive[half:])
}

// options install from the site into a cache of the test's own.
func (s *site) options(t testing.TB) Options {
	return Options{CacheDir: filepath.Join(t.TempDir(), "cache"), BaseURL: s.URL, Archive: testArchive, Progress: testLog(t)}
}

func testLog(t testing.TB) func(Event) {
	return func(e Event) {
		if e.Total == 0 || e.Done == e.Total {
			t.Logf("progress: %s %d/%d", e.Text, e.Done, e.Total)
		}
	}
}

// realMongod returns a mongod that runs here, found or fetched.
func realMongod(t testing.TB) Tools {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	tools, err := Ensure(ctx, Options{Progress: testLog(t)})
	if script, _ := os.ReadFile(tools.Mongod); bytes.Equal(script, []byte(withOwnLibraries)) { // which has no header to change
		t.Setenv("GEOSHARD_MONGOD", "")
		tools, err = Ensure(ctx, Options{Progress: testLog(t)})
	}
	if err != nil {
		t.Fatalf("find or fetch MongoDB: %v", err)
	}
	return tools
}

// alone takes away what this machine offers: environment and PATH.
func alone(t testing.TB) {
	t.Helper()
	for _, name := range []string{"GEOSHARD_MONGOD", "GEOSHARD_MONGOS", "GEOSHARD_MONGODB_MIRROR"} {
		t.(*testing.T).Setenv(name, "")
	}
	t.(*testing.T).Setenv("PATH", t.TempDir())
}

func writeProgram(t testing.TB, file string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// leftovers lists everything in a cache but finished versions and the lock.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if _, err := serverversion.Parse(e.Name()); err != nil && e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}
