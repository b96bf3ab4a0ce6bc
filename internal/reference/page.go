package reference

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Page is one file of the reference.
type Page struct {
	// Name is the file's name, without a directory.
	Name string
	Text string
}

// Stale names the pages that are not in the directory as they should be, and files of the directory whose names begin with the prefix and that are no page.
func Stale(dir, prefix string, pages []Page) ([]string, error) {
	var stale []string
	known := map[string]bool{}
	for _, p := range pages {
		known[p.Name] = true
		text, err := os.ReadFile(filepath.Join(dir, p.Name))
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && string(text) != p.Text:
			stale = append(stale, p.Name)
		case err != nil:
			return nil, fmt.Errorf("read page: %w", err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list pages: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !known[e.Name()] {
			stale = append(stale, e.Name())
		}
	}
	return stale, nil
}

// ErrForeign means that a file has a page's name and is not made from anything: somebody wrote it.
var ErrForeign = errors.New("somebody wrote it")

// Write writes the pages, and removes what Stale calls no page. It changes nothing and returns ErrForeign when that would cost a file that
// was not made here.
func Write(dir, prefix string, pages []Page) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write pages: %w", err)
	}
	stale, err := Stale(dir, prefix, pages)
	if err != nil {
		return err
	}
	for _, name := range stale {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && !strings.HasPrefix(string(text), madeFrom) {
			return fmt.Errorf("write pages: %s: %w; move it away", filepath.Join(dir, name), ErrForeign)
		}
	}
	for _, name := range stale {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("write pages: %w", err)
		}
	}
	for _, p := range pages {
		if err := os.WriteFile(filepath.Join(dir, p.Name), []byte(p.Text), 0o644); err != nil {
			return fmt.Errorf("write pages: %w", err)
		}
	}
	return nil
}

// madeFrom begins each page.
const madeFrom = "<!-- Made from "

func made(from string) string { return madeFrom + from + ": make docs -->\n\n" }

// cell makes text fit into one cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(prose(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}

// prose keeps Markdown from taking characters of a text for its own.
func prose(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "[", `\[`, "_", `\_`).Replace(text)
}

// code marks a word as code; in a table, a bar needs an escape even there.
func code(text string) string { return "`" + strings.ReplaceAll(text, "|", `\|`) + "`" }
