package reference_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/internal/reference"
)

func tree() *cobra.Command {
	root := &cobra.Command{Use: "ship", Short: "Sail"}
	root.PersistentFlags().String("speed", "5kn", "how fast")
	load := &cobra.Command{Use: "load CARGO", Short: "Take cargo", Long: "Take cargo of <any> kind:\n\n  coal   black\n\nIt is weighed.", Example: "  ship load coal\n  ship load corn",
		Run: func(*cobra.Command, []string) {}}
	load.Flags().BoolP("quick", "q", false, "do not `weigh` | or count")
	load.AddCommand(&cobra.Command{Use: "check", Short: "Look", Run: func(*cobra.Command, []string) {}})
	root.AddCommand(load)
	return root
}

func ExampleCommands() {
	for _, page := range reference.Commands(tree(), nil) {
		fmt.Println(page.Name)
	}
	// Output:
	// ship.md
	// ship-load.md
}

func TestAPageHasWhatTheHelpHas(t *testing.T) {
	pages := reference.Commands(tree(), func(flag string) string { return map[string]string{"speed": "SHIP_SPEED"}[flag] })
	for name, wants := range map[string][]string{
		"ship.md":      {"# ship\n", "| [`ship load`](ship-load.md) | Take cargo |\n", "| `--speed string` | `5kn` | how fast | `SHIP_SPEED` |\n"},
		"ship-load.md": {"\nTake cargo of &lt;any> kind:\n\n```text\ncoal   black\n```\n", "```sh\nship load coal\nship load corn\n```\n", "| `-q`, `--quick weigh` |  | do not weigh \\| or count |\n", "## ship load check\n"},
	} {
		i := slices.IndexFunc(pages, func(p reference.Page) bool { return p.Name == name })
		if i < 0 {
			t.Fatalf("no page %s", name)
		}
		for _, want := range wants {
			if !strings.Contains(pages[i].Text, want) {
				t.Errorf("%s: want %q in\n%s", name, want, pages[i].Text)
			}
		}
	}
}

func TestStalePagesAreFoundAndMended(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reference")
	pages := reference.Commands(tree(), nil)
	check := func(when string, want ...string) {
		t.Helper()
		stale, err := reference.Stale(dir, "ship", pages)
		if err != nil || !slices.Equal(stale, want) {
			t.Errorf("%s: got %v, %v, want %v", when, stale, err, want)
		}
	}
	check("nothing written", "ship.md", "ship-load.md")
	if err := reference.Write(dir, "ship", pages); err != nil {
		t.Fatal(err)
	}
	check("written")
	for name, text := range map[string]string{"ship-load.md": "<!-- Made from old -->", "ship-sink.md": "<!-- Made from gone -->", "boat.md": "another's"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check("changed", "ship-load.md", "ship-sink.md")
	if err := reference.Write(dir, "ship", pages); err != nil {
		t.Fatal(err)
	}
	check("mended")
	if _, err := os.Stat(filepath.Join(dir, "boat.md")); err != nil {
		t.Errorf("a page of somebody else: %v", err)
	}
}

// A page that somebody wrote by hand is neither removed nor overwritten.
func TestWrittenPagesStay(t *testing.T) {
	for _, name := range []string{"ship-load.md", "ship-notes.md"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := reference.Write(dir, "ship", reference.Commands(tree(), nil)); !errors.Is(err, reference.ErrForeign) {
			t.Errorf("%s: got %v, want ErrForeign", name, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "mine" {
			t.Errorf("%s: got %q, %v, want it as it was", name, text, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: got %v, %v, want nothing written", name, entries, err)
		}
	}
}

func TestAPageOfASchemaHasEveryKey(t *testing.T) {
	page, err := reference.Schema("f.md", "f.yaml", []byte(`{"description": "A fleet.", "required": ["ships"], "properties": {
		"ships": {"description": "By name.", "type": "object", "additionalProperties": {"$ref": "#/definitions/ship"}},
		"size": {"description": "How big.", "enum": ["small", "big"], "default": "small"}},
		"definitions": {"ship": {"properties": {"crew": {"description": "Names.", "type": "array", "items": {"type": "string"}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `ships` (required) | names to mappings, below | By name. |\n", "| `size` | `small`, `big`; default `small` | How big. |\n",
		"## `ships.NAME`\n", "| `crew` | list of strings | Names. |\n",
	} {
		if !strings.Contains(page.Text, want) {
			t.Errorf("want %q in\n%s", want, page.Text)
		}
	}
}
