package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func runMongodb(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), append([]string{"mongodb"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// standIn writes a program that answers --version.
func standIn(t *testing.T, name, firstLine string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+firstLine+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMongodbWhichShowsThePrograms(t *testing.T) {
	mongod := standIn(t, "mongod", "db version v6.0.5")
	t.Setenv("GEOSHARD_MONGOD", mongod)
	t.Setenv("GEOSHARD_MONGOS", "")
	t.Setenv("PATH", t.TempDir())

	code, stdout, stderr := runMongodb(t, "which")
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "mongod   "+mongod+"\n") || !strings.Contains(stdout, "development query router") {
		t.Errorf("got exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = runMongodb(t, "which", "--output", "json")
	var got programs
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitDone || stderr != "" || got != (programs{Mongod: mongod, Version: "6.0.5"}) {
		t.Errorf("got exit %d, %+v (%v), stderr %q", code, got, err, stderr)
	}
}

func TestMongodbWhichTellsTheWayOut(t *testing.T) {
	t.Setenv("GEOSHARD_MONGOD", standIn(t, "mongod", "db version v4.4.1"))
	code, stdout, stderr := runMongodb(t, "which", "--install")
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "4.4.1") || !strings.Contains(stderr, "hint: install a newer MongoDB") {
		t.Errorf("got exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// A fetched MongoDB, from a site that holds nothing: the error is the site's, and nothing is left in the cache.
func TestMongodbInstallTellsTheWayOut(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("PATH", t.TempDir()) // no pip either
	t.Setenv("GEOSHARD_MONGODB_MIRROR", "http://127.0.0.1:1")
	code, stdout, stderr := runMongodb(t, "install", "--output", "json")
	var got failure
	if err := json.Unmarshal([]byte(stderr), &got); err != nil || code != exitFailed || stdout != "" || got.Hint == "" || !strings.Contains(got.Error, "127.0.0.1:1") {
		t.Errorf("got exit %d, stdout %q, stderr %q (%v)", code, stdout, stderr, err)
	}
}
