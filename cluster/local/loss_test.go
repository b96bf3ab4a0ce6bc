package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/topology"
)

// files writes files below a new directory, by their paths; a path that ends in a slash is a directory, and a text "-> x" a link to x.
func files(t *testing.T, written map[string]string) string {
	t.Helper()
	root := t.TempDir()
	add(t, root, written)
	return root
}

func add(t *testing.T, root string, written map[string]string) {
	t.Helper()
	for name, text := range written {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		target, isLink := strings.CutPrefix(text, "-> ")
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o700)
		case isLink:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// held is all that a directory holds, as files writes it.
func held(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name, _ := filepath.Rel(root, path)
		switch {
		case e.IsDir():
			found[name+"/"] = ""
			return nil
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[name] = "-> " + target
			return err
		}
		text, err := os.ReadFile(path)
		found[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var tiny = []byte(`version: 1
datacenters:
  HERE: {name: Here}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
zones:
  Z0: {shards: [s0]}
`)

// tinyOptions are those of a start that must fail before any process: the server's program does not exist.
func tinyOptions(t *testing.T, name, dir string) Options {
	t.Helper()
	world, err := topology.Parse("tiny.yaml", tiny)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Name: name, Dir: dir, Topology: world, Tools: mongobin.Tools{Mongod: filepath.Join(t.TempDir(), "no-mongod"), Version: "6.0.5"}}
}

// Whatever stands under a cluster's name and was not made by geoshard is left as it is, by every way that removes or replaces.
func TestForeignStaysUntouched(t *testing.T) {
	elsewhere := files(t, map[string]string{"thesis.txt": "years of work", "data/s0-HERE/WiredTiger.wt": "mine"})
	outside := t.TempDir()
	otherMark := `{"name": "other", "dir": "` + outside + `"}`
	copied := `{"name": "Documents", "dir": "` + outside + `", "members": ["s0-HERE"]}`
	oldCopy := `{"name": "Documents", "token": "t", "members": [{"name": "s0/HERE", "log": "` + filepath.Join(outside, "logs", "s0-HERE.log") + `"}]}`
	for what, stands := range map[string]map[string]string{
		"documents":                     {"Documents/letter.txt": "dear", "Documents/photos/a.jpg": "a", "Music/b.mp3": "b"},
		"hidden":                        {"Documents/.hidden": ""},
		"only directories":              {"Documents/photos/": ""},
		"a file":                        {"Documents": "dear"},
		"a link to a directory":         {"Documents": "-> " + elsewhere},
		"a link to nothing":             {"Documents": "-> " + filepath.Join(outside, "nothing")},
		"a state file of others":        {"Documents/state.json": `{"version": 4}`, "Documents/terraform.tf": ""},
		"a broken state file, no mark":  {"Documents/state.json": "{", "Documents/data/s0-HERE/WiredTiger.wt": "mine"},
		"the mark of another name":      {"Documents/" + markFile: otherMark, "Documents/state.json": "{}"},
		"the mark of another place":     {"Documents/" + markFile: copied, "Documents/data/s0-HERE/WiredTiger.wt": "a copy"},
		"the state of another place":    {"Documents/state.json": oldCopy, "Documents/data/s0-HERE/WiredTiger.wt": "a copy"},
		"a mark that cannot be read":    {"Documents/" + markFile: "{", "Documents/letter.txt": "dear"},
		"a mark that is a link":         {"Documents/" + markFile: "-> " + filepath.Join(elsewhere, "thesis.txt")},
		"a mark that is a directory":    {"Documents/" + markFile + "/letter.txt": "dear"},
		"a lock of others":              {"Documents.lock": "package-lock"},
		"a lock that is a link":         {"Documents.lock": "-> " + filepath.Join(elsewhere, "thesis.txt")},
		"a lock that is a directory":    {"Documents.lock/letter.txt": "dear"},
		"documents and a lock and logs": {"Documents/letter.txt": "dear", "Documents.lock": "", "Documents.log": "day 1"},
	} {
		t.Run(what, func(t *testing.T) {
			root := files(t, stands)
			before := held(t, root)
			ctx := t.Context()
			_, err := Start(ctx, tinyOptions(t, "Documents", root))
			refused(t, "start", err)
			_, err = StartDetached(ctx, tinyOptions(t, "Documents", root))
			refused(t, "detached start", err)
			if err := Down(ctx, "Documents", root); !errors.Is(err, cluster.ErrNotRunning) || !strings.Contains(what, "lock") { // without a directory nothing runs
				refused(t, "down", err)
			}
			if _, err := Attach(ctx, "Documents", root); !errors.Is(err, cluster.ErrNotRunning) {
				t.Errorf("attach: got %v, want ErrNotRunning", err)
			}
			if list, err := List(root); err != nil || len(list) != 0 {
				t.Errorf("list: got %+v, %v, want none", list, err)
			}
			if diff := cmp.Diff(before, held(t, root)); diff != "" {
				t.Errorf("lost or changed:\n%s", diff)
			}
		})
	}
	want := map[string]string{"thesis.txt": "years of work", "data/": "", "data/s0-HERE/": "", "data/s0-HERE/WiredTiger.wt": "mine"}
	if diff := cmp.Diff(want, held(t, elsewhere)); diff != "" {
		t.Errorf("lost or changed behind a link:\n%s", diff)
	}
	if found := held(t, outside); len(found) != 0 {
		t.Errorf("made behind a link: %v", found)
	}
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, cluster.ErrForeign) || hint.Of(err) == "" || !strings.Contains(err.Error(), "Documents") {
		t.Errorf("%s: got %v (%s), want ErrForeign that names what is in the way, with a hint", what, err, hint.Of(err))
	}
}

// Names that are paths reach no file; neither does a state directory that is none.
func TestNamesAreNoPaths(t *testing.T) {
	root := files(t, map[string]string{"state/x/letter.txt": "dear", "letter.txt": "dear", "file": "text"})
	before := held(t, root)
	for _, name := range []string{".", "..", "../state", "x/", "./x", "x/letter.txt", "x.", "x ", " x", "x\n", "x\x00", "-x", "*", `..\state`, filepath.Join(root, "state")} {
		if err := Down(t.Context(), name, filepath.Join(root, "state")); err == nil || errors.Is(err, cluster.ErrNotRunning) {
			t.Errorf("down %q: got %v, want a bad name", name, err)
		}
		if _, err := Start(t.Context(), tinyOptions(t, name, filepath.Join(root, "state"))); err == nil || errors.Is(err, cluster.ErrForeign) {
			t.Errorf("start %q: got %v, want a bad name", name, err)
		}
	}
	if err := Down(t.Context(), "x", filepath.Join(root, "file")); err == nil {
		t.Error("down with a file as state directory: got nil")
	}
	if _, err := Start(t.Context(), tinyOptions(t, "x", filepath.Join(root, "file"))); err == nil {
		t.Error("start with a file as state directory: got nil")
	}
	if _, err := List(filepath.Join(root, "file")); err == nil {
		t.Error("list of a file: got nil")
	}
	if diff := cmp.Diff(before, held(t, root)); diff != "" {
		t.Errorf("lost or changed:\n%s", diff)
	}
}

// A relative state directory, an absolute one and one behind a link are the same.
func TestRelativeStateDirectory(t *testing.T) {
	root := files(t, map[string]string{"clusters/testdata/golden.txt": "golden", "link": "-> clusters"})
	t.Chdir(filepath.Join(root, "clusters"))
	for _, dir := range []string{".", "../clusters", "../link"} {
		refusedNamed(t, Down(t.Context(), "testdata", dir))
		t.Setenv(StateDirEnv, dir)
		refusedNamed(t, Down(t.Context(), "testdata", ""))
	}
	if text, err := os.ReadFile("testdata/golden.txt"); err != nil || string(text) != "golden" {
		t.Errorf("got %q, %v, want the file as it was", text, err)
	}
}

func refusedNamed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, cluster.ErrForeign) || !strings.Contains(err.Error(), "golden.txt") {
		t.Errorf("got %v, want ErrForeign that names golden.txt", err)
	}
}

// leftBehind is what a killed supervisor leaves: files of all kinds.
func leftBehind(t *testing.T, withMark bool) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "gone")
	if withMark {
		marked(t, dir)
	}
	add(t, dir, map[string]string{
		stateFile: "{", "." + stateFile: "{}", "secrets/keyfile": "k", "secrets/ca.pem": "c", "secrets/s0-HERE.pem": "p",
		"logs/s0-HERE.log": "{}", "logs/s0-HERE.log.2026-11-28T18-00-00": "{}", "logs/router-HERE.log": "",
		"data/s0-HERE/WiredTiger": "", "data/s0-HERE/WiredTiger.turtle": "", "data/s0-HERE/collection-0--1.wt": "", "data/s0-HERE/mongod.lock": "1",
		"data/s0-HERE/storage.bson": "", "data/s0-HERE/journal/WiredTigerLog.0000000001": "", "data/s0-HERE/journal/WiredTigerPreplog.0000000001": "",
		"data/s0-HERE/diagnostic.data/metrics.interim": "", "data/s0-HERE/_tmp/extsort.1": "", "data/s0-HERE/_tmp/spilldb/x": "",
		"data/s0-HERE/rollback/uuid/removed.bson": "", "data/config-HERE/": "",
	})
	if !withMark {
		s := state{Name: "gone", Token: "t", Members: book{{Name: "s0/HERE"}, {Name: "config/HERE"}, {Name: "router/HERE"}}}
		for i, m := range s.Members {
			s.Members[i].Log = filepath.Join(dir, "logs", fileName(m.Name)+".log")
		}
		if err := s.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func marked(t *testing.T, dir string) {
	t.Helper()
	if _, err := claim(dir, []node{{Name: "s0/HERE"}, {Name: "config/HERE"}, {Name: "router/HERE"}}); err != nil {
		t.Fatal(err)
	}
}

// What is ours goes without a trace: with a mark and a state that cannot be read, or, as an older geoshard left it, with a state that names the directory.
func TestDownRemovesWhatIsOurs(t *testing.T) {
	for what, withMark := range map[string]bool{"marked, with a broken state": true, "not marked, with its state": false} {
		t.Run(what, func(t *testing.T) {
			root := leftBehind(t, withMark)
			if list, err := List(root); err != nil || len(list) != 1 || list[0].Name != "gone" {
				t.Errorf("list: got %+v, %v, want it", list, err)
			}
			if err := Down(t.Context(), "gone", root); err != nil {
				t.Error(err)
			}
			if left := held(t, root); len(left) != 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// A start that is killed while it makes its directory leaves what the next one, or down, can deal with.
func TestUnfinishedMark(t *testing.T) {
	for what, stands := range map[string]map[string]string{"empty": {"gone/" + markFile: ""}, "torn": {"gone/" + markFile: `{"name": "go`}} {
		root := files(t, stands)
		if err := Down(t.Context(), "gone", root); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if left := held(t, root); len(left) != 0 {
			t.Errorf("%s: left over: %v", what, left)
		}
	}
	root := files(t, map[string]string{"gone/": ""})
	if err := Down(t.Context(), "gone", root); !errors.Is(err, cluster.ErrNotRunning) {
		t.Errorf("an empty directory: got %v, want ErrNotRunning", err)
	}
	// It may be used.
	if _, err := Start(t.Context(), tinyOptions(t, "gone", root)); err == nil || errors.Is(err, cluster.ErrForeign) {
		t.Errorf("got %v, want only that the server's program is missing", err)
	}
}

// What somebody put into a cluster's directory stays, wherever it is; ours goes, and the error says what stays.
func TestDownKeepsWhatIsNotOurs(t *testing.T) {
	theirs := map[string]string{
		"gone/notes.txt": "note", "gone/backup/state.json": "{}", "gone/data/s0-HERE/notes.txt": "note", "gone/data/s0-HERE.bak/WiredTiger.wt": "copy",
		"gone/logs/mine.log": "mine", "gone/logs/s0-HERE.logic": "mine", "gone/secrets/mine.pem": "mine", "gone/data/s0-HERE/journal/notes.txt": "note",
		"gone/logs/config-HERE.log": "-> ../../outside.txt", "gone/data/config-HERE/dump.wt": "-> ../../../outside.txt", "outside.txt": "outside",
	}
	root := leftBehind(t, true)
	add(t, root, theirs)
	err := Down(t.Context(), "gone", root)
	if !errors.Is(err, cluster.ErrForeign) || hint.Of(err) == "" || !strings.Contains(err.Error(), "backup") {
		t.Errorf("got %v (%s), want ErrForeign that names what stays", err, hint.Of(err))
	}
	left := held(t, root)
	for name := range left {
		if strings.HasSuffix(name, "/") {
			delete(left, name)
		}
	}
	if diff := cmp.Diff(theirs, left); diff != "" {
		t.Errorf("what is left (-theirs +left):\n%s", diff)
	}
	// The directory is theirs now.
	if err := Down(t.Context(), "gone", root); !errors.Is(err, cluster.ErrForeign) {
		t.Errorf("second down: got %v, want ErrForeign", err)
	}
	if _, err := Start(t.Context(), tinyOptions(t, "gone", root)); !errors.Is(err, cluster.ErrForeign) {
		t.Errorf("start: got %v, want ErrForeign", err)
	}
}

// Directories of a cluster that are links are not gone into.
func TestLinksInsideAreNotFollowed(t *testing.T) {
	elsewhere := files(t, map[string]string{"s0-HERE/WiredTiger.wt": "mine", "s0-HERE.log": "mine"})
	root := t.TempDir()
	marked(t, filepath.Join(root, "gone"))
	add(t, root, map[string]string{"gone/data": "-> " + elsewhere, "gone/logs": "-> " + elsewhere, "gone/secrets/keyfile": "k"})
	before := held(t, elsewhere)
	if err := Down(t.Context(), "gone", root); !errors.Is(err, cluster.ErrForeign) {
		t.Errorf("got %v, want ErrForeign for the links", err)
	}
	if diff := cmp.Diff(before, held(t, elsewhere)); diff != "" {
		t.Errorf("lost behind a link:\n%s", diff)
	}
}

// A file that somebody puts into the directory of a running cluster outlives its Close, and one of theirs beside it that has the name of the log.
func TestCloseKeepsWhatIsNotOurs(t *testing.T) {
	root := files(t, map[string]string{"kept.log": "day 1"})
	o, err := tinyOptions(t, "kept", root).withDefaults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := prepare(o, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	add(t, root, map[string]string{"kept/notes.txt": "note"})
	if err := c.Close(context.Background()); !errors.Is(err, cluster.ErrForeign) {
		t.Errorf("close: got %v, want ErrForeign", err)
	}
	if diff := cmp.Diff(map[string]string{"kept/": "", "kept/notes.txt": "note", "kept.log": "day 1"}, held(t, root)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

// Nobody's log and nobody's empty lock is written or removed.
func TestFilesBesideStay(t *testing.T) {
	for what, stands := range map[string]map[string]string{
		"a diary":     {"x.log": "day 1\n"},
		"empty files": {"x.log": "", "x.lock": ""},
		"a link":      {"x.log": "-> diary", "diary": supervisorLogText},
	} {
		root := files(t, stands)
		before := held(t, root)
		if _, err := StartDetached(t.Context(), tinyOptions(t, "x", root)); !errors.Is(err, cluster.ErrForeign) {
			t.Errorf("%s: detached start: got %v, want ErrForeign", what, err)
		}
		if _, err := Start(t.Context(), tinyOptions(t, "x", root)); err == nil || errors.Is(err, cluster.ErrForeign) {
			t.Errorf("%s: start: got %v, want only that the server's program is missing", what, err)
		}
		if diff := cmp.Diff(before, held(t, root)); diff != "" {
			t.Errorf("%s: lost or changed:\n%s", what, diff)
		}
		marked(t, filepath.Join(root, "x"))
		if err := Down(t.Context(), "x", root); err != nil {
			t.Errorf("%s: down: %v", what, err)
		}
		if diff := cmp.Diff(before, held(t, root)); diff != "" {
			t.Errorf("%s: lost or changed by down:\n%s", what, diff)
		}
	}
	// A failed detached start removes the log that it made.
	root := t.TempDir()
	if _, err := StartDetached(t.Context(), tinyOptions(t, "x", root)); err == nil {
		t.Error("got nil, want an error")
	}
	if left := held(t, root); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}
