package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
)

// oursPattern matches the paths below a cluster's directory, with slashes, that geoshard or a server of the cluster makes. MEMBER stands for the members' names.
const oursPattern = `^(\.?state\.json` +
	`|secrets(/keyfile|/ca\.pem|/MEMBER\.pem)?` +
	`|logs(/MEMBER\.log(\..*)?)?` + // mongod renames a full one to NAME.log.TIME
	`|data(/MEMBER(/(WiredTiger[^/]*|[^/]+\.wt|mongod\.lock|storage\.bson|_repair_incomplete` +
	`|journal(/WiredTiger[^/]*)?|diagnostic\.data(/metrics\.[^/]*)?|(_tmp|rollback)(/.+)?))?)?)$`

// ours matches the paths that are the cluster's.
func (m *mark) ours() *regexp.Regexp {
	members := []string{`[^\s\S]`} // no text at all: a start that was killed while it wrote the mark has no members
	for _, name := range m.Members {
		members = append(members, regexp.QuoteMeta(name))
	}
	return regexp.MustCompile(strings.ReplaceAll(oursPattern, "MEMBER", "("+strings.Join(members, "|")+")"))
}

// remove removes what is ours in a cluster's directory, file by file, then the mark, and the directory if it is empty then. What
// somebody else put there stays, and so does the directory; the error names it. No link is followed.
func (m *mark) remove(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("remove cluster directory: %w", err)
	}
	s := &sweep{root: root, ours: m.ours()}
	s.directory(".")
	if len(s.problems) == 0 { // or the next one has to know that the rest is ours
		s.file(markFile)
	}
	if err := root.Close(); err != nil {
		s.problems = append(s.problems, err)
	}
	switch {
	case len(s.problems) > 0:
		return fmt.Errorf("remove cluster directory: %w", errors.Join(s.problems...))
	case len(s.kept) > 0:
		return hint.New(fmt.Errorf("remove cluster directory: %s stays, with %s: %w", dir, several(s.kept), cluster.ErrForeign),
			"the cluster's own files are gone; move away what is yours, or choose another --name")
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove cluster directory: %w", err)
	}
	return nil
}

// A sweep removes what is ours below a directory.
type sweep struct {
	root     *os.Root
	ours     *regexp.Regexp
	kept     []string // what is not ours
	problems []error
}

// directory sweeps the content of a directory.
func (s *sweep) directory(dir string) {
	entries, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		s.problems = append(s.problems, err)
		return
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case name == markFile:
		case !s.ours.MatchString(name) || !e.IsDir() && !e.Type().IsRegular(): // such as a link
			s.kept = append(s.kept, name)
		case e.IsDir():
			kept := len(s.kept)
			s.directory(name)
			if kept == len(s.kept) {
				s.file(name)
			}
		default:
			s.file(name)
		}
	}
}

// file removes a file or an empty directory.
func (s *sweep) file(name string) {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.problems = append(s.problems, err)
	}
}

// endWithin is how long a killed process may take to be gone, with its files closed.
const endWithin = 10 * time.Second

// removeLeftovers ends what a killed supervisor left running and removes its directory, if that is one of ours. The caller holds the lock.
func removeLeftovers(dir string) error {
	m, err := examine(dir)
	if err != nil || m == nil {
		return err
	}
	// Without a readable state nothing can be known about processes, but the directory must still go: it would stand in
	// the way of every start.
	if s, err := readState(dir); err == nil {
		if err := s.Members.end(); err != nil {
			return err
		}
	}
	return m.remove(dir)
}

// end kills the processes of the members and waits until they are gone: a server that is still ending writes files.
func (b book) end() error {
	for _, m := range b {
		if err := m.Process.kill(); err != nil {
			return fmt.Errorf("end %s (pid %d) of a killed supervisor: %w", m.Name, m.Process.PID, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	return poll(ctx, "wait for the end of the members of a killed supervisor", func(*error) (bool, error) {
		return !slices.ContainsFunc(b, func(m memberState) bool { return m.Process.alive() }), nil
	})
}
