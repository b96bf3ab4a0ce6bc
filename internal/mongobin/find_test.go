package mongobin

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFindLooksInOrder(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	o := Options{CacheDir: filepath.Join(dir, "cache"), Progress: testLog(t)}
	find := func(want string) {
		t.Helper()
		tools, err := Find(t.Context(), o)
		if err != nil || tools.Mongod != want {
			t.Fatalf("got %+v, %v; want %s", tools, err, want)
		}
	}
	_, err := Find(t.Context(), o)
	wantHinted(t, err, ErrNotFound)

	old := writeProgram(t, filepath.Join(o.CacheDir, "6.0.5", "mongod"), printsVersion("db version v6.0.5"))
	find(old)
	newer := writeProgram(t, filepath.Join(o.CacheDir, "10.0.0", "mongod"), printsVersion("db version v10.0.0"))
	find(old) // the newer one has no mongos
	writeProgram(t, filepath.Join(o.CacheDir, "10.0.0", "mongos"), printsVersion("mongos version v10.0.3"))
	find(newer)

	inPath := writeProgram(t, filepath.Join(dir, "bin", "mongod"), printsVersion("db version v4.4.29"))
	t.Setenv("PATH", filepath.Dir(inPath))
	find(newer) // too old is passed over
	writeProgram(t, inPath, printsVersion("db version v6.0.1"))
	find(inPath)

	chosen := writeProgram(t, filepath.Join(dir, "chosen"), printsVersion("db version v7.0.0"))
	t.Setenv("GEOSHARD_MONGOD", chosen)
	find(chosen)
}

func TestFindPairsOneRelease(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	mongod := writeProgram(t, filepath.Join(dir, "mongod"), printsVersion("db version v8.0.4"))
	beside := writeProgram(t, filepath.Join(dir, "mongos"), printsVersion("mongos version v7.0.4"))
	t.Setenv("GEOSHARD_MONGOD", mongod)
	tools, err := Find(t.Context(), Options{CacheDir: dir})
	if err != nil || tools.Mongos != "" {
		t.Fatalf("a mongos 7.0 beside a mongod 8.0: got %+v, %v; want no mongos", tools, err)
	}
	inPath := writeProgram(t, filepath.Join(dir, "bin", "mongos"), printsVersion("mongos version v8.0.1"))
	t.Setenv("PATH", filepath.Dir(inPath))
	if tools, err = Find(t.Context(), Options{CacheDir: dir}); err != nil || tools.Mongos != inPath {
		t.Fatalf("got %+v, %v; want %s", tools, err, inPath)
	}
	t.Setenv("GEOSHARD_MONGOS", beside)
	_, err = Find(t.Context(), Options{CacheDir: dir})
	wantHinted(t, err, ErrMismatch)
}

// Each program that cannot be used is explained. Where a real program is needed, it is a changed copy of the real mongod.
func TestChosenProgramThatCannotBeUsed(t *testing.T) {
	real := realMongod(t).Mongod
	alone(t)
	dir := t.TempDir()
	file := func(name string, content []byte) string { return writeProgram(t, filepath.Join(dir, name), content) }
	notExecutable := file("not-executable", printsVersion("db version v6.0.5"))
	if err := os.Chmod(notExecutable, 0o644); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, path string
		want       error
		says       string
	}{
		{"missing", filepath.Join(dir, "nowhere"), os.ErrNotExist, "nowhere"},
		{"a directory", dir, ErrNotExecutable, "directory"},
		{"not executable", notExecutable, ErrNotExecutable, ""},
		{"too old", file("old", printsVersion("db version v5.0.31")), ErrTooOld, "5.0.31"},
		{"another program", file("other", printsVersion("mongos version v8.0.0")), ErrCorrupt, "mongos version v8.0.0"},
		{"not a program", file("text", []byte("hello\n")), ErrWrongArchitecture, ""},
	}
	if runtime.GOOS == "linux" {
		foreign, machine := foreignProgram(t, real)
		unlinked, library := withoutLibrary(t, real)
		cases = append(cases, []struct {
			name, path string
			want       error
			says       string
		}{
			{"another machine's", file("foreign", foreign), ErrWrongArchitecture, machine},
			{"library missing", file("unlinked", unlinked), ErrMissingLibraries, library},
			{"loader missing", file("loader", otherLoader(t, real)), ErrMissingLibraries, "/xib"},
			{"truncated", file("truncated", readFile(t, real)[:3<<20]), ErrCorrupt, ""},
		}...)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("GEOSHARD_MONGOD", c.path)
			_, err := Ensure(t.Context(), Options{CacheDir: filepath.Join(dir, "cache")})
			wantHinted(t, err, c.want)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: does not say %q", err, c.says)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "cache")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a program that the user chose and that cannot be used made us fetch another one")
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// foreignProgram returns the program with another processor in its header, and that processor's name.
func foreignProgram(t *testing.T, path string) ([]byte, string) {
	b := readFile(t, path)
	const machineAt = 18
	machine := elf.EM_AARCH64
	if binary.LittleEndian.Uint16(b[machineAt:]) == uint16(machine) {
		machine = elf.EM_X86_64
	}
	binary.LittleEndian.PutUint16(b[machineAt:], uint16(machine))
	return b, strings.TrimPrefix(machine.String(), "EM_")
}

// withoutLibrary returns the program with one of its libraries renamed to one that nobody has, and that name.
func withoutLibrary(t *testing.T, path string) ([]byte, string) {
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil || len(libs) == 0 {
		t.Fatalf("libraries of %s: %v, %v", path, libs, err)
	}
	name := "xx" + libs[0][2:]
	return replaceOnce(t, readFile(t, path), libs[0]+"\x00", name+"\x00"), name
}

func otherLoader(t *testing.T, path string) []byte {
	loader := elfLoader(path)
	return replaceOnce(t, readFile(t, path), loader+"\x00", strings.Replace(loader, "/lib", "/xib", 1)+"\x00")
}

func replaceOnce(t *testing.T, b []byte, from, to string) []byte {
	t.Helper()
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%q is not in the program", from)
	}
	return bytes.Replace(b, []byte(from), []byte(to), 1)
}

// Programs whose libraries are missing stay in the cache and are not fetched again: more of the same would not help.
func TestEnsureDoesNotFetchAgainForMissingLibraries(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the loader is asked in Linux's way")
	}
	unlinked, library := withoutLibrary(t, realMongod(t).Mongod)
	alone(t)
	s := newSite(t, goodArchive(t))
	o := s.options(t)
	writeProgram(t, filepath.Join(o.CacheDir, "6.0.5", "mongod"), unlinked)
	_, err := Ensure(t.Context(), o)
	wantHinted(t, err, ErrMissingLibraries)
	if !strings.Contains(err.Error(), library) || s.hits.Load() != 0 {
		t.Fatalf("got %v and %d downloads, want %s named and no download", err, s.hits.Load(), library)
	}
}

// What became corrupt in the cache is replaced.
func TestEnsureReplacesACorruptCache(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t))
	o := s.options(t)
	writeProgram(t, filepath.Join(o.CacheDir, "8.0.32", "mongod"), []byte("#!/bin/sh\nexit 3\n"))
	tools, err := Ensure(t.Context(), o)
	if err != nil || tools.Version != "8.0.32" || tools.Mongos == "" {
		t.Fatalf("got %+v, %v", tools, err)
	}
	if left := leftovers(t, o.CacheDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What an installation did not make stays: in the place of a version, and beside it.
func TestEnsureKeepsWhatIsNotOurs(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t))
	o := s.options(t)
	notes := filepath.Join(o.CacheDir, "8.0.32", "notes.txt")
	for _, path := range []string{notes, filepath.Join(o.CacheDir, tempPrefix+"notes", "a"), filepath.Join(o.CacheDir, tempPrefix+"1")} {
		writeProgram(t, path, []byte("mine"))
	}
	writeProgram(t, filepath.Join(o.CacheDir, "8.0.32", "mongod"), []byte("#!/bin/sh\nexit 3\n"))
	if _, err := Ensure(t.Context(), o); !errors.Is(err, errOthers) || !strings.Contains(err.Error(), "notes.txt") {
		t.Errorf("got %v, want an error that names notes.txt", err)
	}
	for _, path := range []string{notes, filepath.Join(o.CacheDir, tempPrefix+"notes", "a"), filepath.Join(o.CacheDir, tempPrefix+"1")} {
		if text := readFile(t, path); string(text) != "mine" {
			t.Errorf("%s: got %q, want it as it was", path, text)
		}
	}
}

func TestArchivePathForEachMachine(t *testing.T) {
	cases := []struct{ goos, goarch, release, want string }{
		{"linux", "amd64", "ID=debian\nVERSION_ID=\"12\"", "linux/mongodb-linux-x86_64-debian12-V.tgz"},
		{"linux", "amd64", "ID=debian\nVERSION_ID=\"11\"", "linux/mongodb-linux-x86_64-ubuntu2004-V.tgz"},
		{"linux", "arm64", "ID=debian\nVERSION_ID=\"12\"", "linux/mongodb-linux-aarch64-ubuntu2204-V.tgz"},
		{"linux", "amd64", "ID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy", "linux/mongodb-linux-x86_64-ubuntu2204-V.tgz"},
		{"linux", "arm64", "ID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble", "linux/mongodb-linux-aarch64-ubuntu2404-V.tgz"},
		{"linux", "amd64", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=virginia\nUBUNTU_CODENAME=jammy", "linux/mongodb-linux-x86_64-ubuntu2204-V.tgz"},
		{"linux", "amd64", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.5\"", "linux/mongodb-linux-x86_64-rhel93-V.tgz"},
		{"linux", "arm64", "ID=\"rhel\"\nVERSION_ID=\"8.10\"", "linux/mongodb-linux-aarch64-rhel8-V.tgz"},
		{"linux", "amd64", "ID=fedora\nVERSION_ID=8", "linux/mongodb-linux-x86_64-rhel93-V.tgz"},
		{"linux", "amd64", "ID=amzn\nID_LIKE=fedora\nVERSION_ID=2023", "linux/mongodb-linux-x86_64-amazon2023-V.tgz"},
		{"linux", "amd64", "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=15.6", "linux/mongodb-linux-x86_64-suse15-V.tgz"},
		{"darwin", "arm64", "", "osx/mongodb-macos-arm64-V.tgz"},
		{"darwin", "amd64", "", "osx/mongodb-macos-x86_64-V.tgz"},
		{"windows", "amd64", "", "windows/mongodb-windows-x86_64-V.zip"},
		{"windows", "arm64", "", ""},
		{"linux", "riscv64", "ID=debian\nVERSION_ID=12", ""},
		{"linux", "amd64", "ID=alpine\nVERSION_ID=3.20", ""},
	}
	for release, want := range map[string]string{"ID=debian\nVERSION_ID=12": "ubuntu2204", "ID=debian\nVERSION_ID=11": "ubuntu2004", "ID=amzn\nVERSION_ID=2023": ""} {
		got, err := archivePath("linux", "amd64", "6.0.27", parseOSRelease(strings.NewReader(release)))
		if !strings.Contains(got, want) || (want == "") != errors.Is(err, ErrNoArchive) {
			t.Errorf("6.0.27 for %q: got %q, %v; want the build of %q", release, got, err, want)
		}
	}
	for _, c := range cases {
		got, err := archivePath(c.goos, c.goarch, archiveVersion, parseOSRelease(strings.NewReader("# a comment = none\n"+c.release)))
		if want := strings.Replace(c.want, "V", archiveVersion, 1); got != want || (want == "") != errors.Is(err, ErrNoArchive) {
			t.Errorf("%s/%s %q: got %q, %v; want %q", c.goos, c.goarch, c.release, got, err, want)
		}
	}
}

func TestPlainProgressIsShort(t *testing.T) {
	var b strings.Builder
	tell := Printer(&b)
	tell(Event{Text: "trying a site"})
	for done := int64(0); done <= 1e8; done += 32768 {
		tell(Event{Text: "downloading x", Done: done, Total: 1e8})
	}
	tell(Event{Text: "downloading y", Done: 5, Total: -1})
	if lines := strings.Count(b.String(), "\n"); lines < 4 || lines > 5 {
		t.Errorf("got %d lines, want 4 or 5:\n%s", lines, b.String())
	}
	if !strings.HasPrefix(b.String(), fmt.Sprintln("trying a site")) {
		t.Errorf("got %q", b.String())
	}
}
