package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
)

// markFile is the first file that a cluster's directory gets. A directory without it is somebody else's, whatever its
// name: nothing in it is touched.
const markFile = ".geoshard-cluster"

// A mark says which directory is a cluster's, and whose files are ours in it.
type mark struct {
	About string `json:"about"` // for people who find the file
	Name  string `json:"name"`
	// Dir is the directory that was marked: a copy of it elsewhere is not ours.
	Dir string `json:"dir"`
	// Members are the members' names as file names, those that the cluster may grow by too.
	Members []string `json:"members"`
}

// claim makes a cluster's directory and marks it. An empty directory may be there already.
func claim(dir string, nodes []node) (*mark, error) {
	m := &mark{About: "geoshard made this directory; `geoshard cluster down --name " + filepath.Base(dir) + "` removes it", Name: filepath.Base(dir), Dir: dir}
	for _, n := range nodes {
		m.Members = append(m.Members, fileName(n.Name))
	}
	encoded, _ := json.MarshalIndent(m, "", "  ") // it is made of texts
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make cluster directory: %w", err)
	}
	if err := writeNew(filepath.Join(dir, markFile), append(encoded, '\n')); err != nil {
		return nil, fmt.Errorf("mark cluster directory: %w", err)
	}
	return m, nil
}

// examine tells whose the directory of a cluster's name is. It returns the mark of one of ours, nil where there is nothing or an empty
// directory, and ErrForeign, with what is in the way, for anything else.
func examine(dir string) (*mark, error) {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look at cluster directory: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, foreign(dir, "it is a link")
	case !info.IsDir():
		return nil, foreign(dir, "it is no directory")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look at cluster directory: %w", err)
	}
	if len(entries) == 0 {
		return nil, nil
	}
	m, err := readMark(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if m = adopt(dir); m != nil {
			return m, nil
		}
		return nil, foreign(dir, "it has no "+markFile+", but "+several(names(entries)))
	case err != nil && len(entries) == 1 && entries[0].Type().IsRegular():
		return &mark{Name: filepath.Base(dir), Dir: dir}, nil // a start was killed while it wrote the mark
	case err != nil:
		return nil, foreign(dir, err.Error())
	case m.Name != filepath.Base(dir):
		return nil, foreign(dir, "its "+markFile+" is that of the cluster "+m.Name)
	case !sameDir(m.Dir, dir):
		return nil, foreign(dir, "it is a copy of "+m.Dir)
	}
	return m, nil
}

func readMark(dir string) (*mark, error) {
	path := filepath.Join(dir, markFile)
	text, err := readRegular(path)
	if err != nil {
		return nil, err
	}
	m := &mark{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", markFile, err)
	}
	return m, nil
}

// adopt recognises the directory of a geoshard that did not mark its directories yet: by a state file that names this very one.
func adopt(dir string) *mark {
	if _, err := readRegular(filepath.Join(dir, stateFile)); err != nil {
		return nil
	}
	s, err := readState(dir)
	if err != nil || s.Name != filepath.Base(dir) || s.Token == "" || len(s.Members) == 0 {
		return nil
	}
	m := &mark{Name: s.Name, Dir: dir}
	for _, member := range s.Members {
		if !sameDir(filepath.Dir(filepath.Dir(member.Log)), dir) {
			return nil
		}
		m.Members = append(m.Members, fileName(member.Name))
	}
	return m
}

// readRegular reads a file that is no link.
func readRegular(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", filepath.Base(path))
	}
	return os.ReadFile(path)
}

// writeNew writes a file that must not be there yet; a file that could not be written is removed again.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// sameDir compares directories, not paths: the way to one may lead over a link.
func sameDir(a, b string) bool {
	one, _ := os.Stat(a)
	other, _ := os.Stat(b)
	return os.SameFile(one, other) // one that is not there is none of the same
}

func foreign(path, why string) error {
	return hint.New(fmt.Errorf("%s: %w: %s", path, cluster.ErrForeign, why),
		"nothing was changed; choose another --name, or set "+StateDirEnv+" to a directory that holds nothing else")
}

func names(entries []fs.DirEntry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// several lists the first names.
func several(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
