//go:build unix

package docs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// A block is a fenced one of commands.
type block struct {
	file string
	line int // of the fence
	// commands are lines of shell, one string for each command line of a console block, one for the whole of the others.
	commands []string
	// notRun are command lines, or the first line of a block, that are not run, with the reason.
	notRun []string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

// languages are those of fences that hold no commands; none is text. Others are refused: a misspelt one would hide commands.
var languages = []string{"", "dockerfile", "go", "html", "js", "json", "mermaid", "text", "yaml"}

var (
	fence  = regexp.MustCompile("^(\\s*)(```+)\\s*(\\w*)\\s*$")
	hidden = regexp.MustCompile(`^\s*(\$ |geoshard [a-z]+ --|cartdemo [a-z]+ --|make [a-z]+$)`)
	notRun = regexp.MustCompile(`^\s*<!-- not-run(?: "([^"]+)")?: (.+) -->\s*$`)
)

// blocksOf reads the blocks of commands of a page.
func blocksOf(file, text string) (blocks []block, problems []error) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		m := fence.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		begin, language := i, m[3]
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("%s:%d: %s", file, begin+1, fmt.Sprintf(format, args...)))
		}
		var body []string
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != m[2]; i++ {
			body = append(body, strings.TrimPrefix(lines[i], m[1]))
		}
		switch {
		case i == len(lines):
			problem("the block does not end")
		case language == "console":
			b, unused := without(block{file: file, line: begin + 1, commands: prompted(body)}, markersAbove(lines, begin))
			if len(unused) > 0 {
				problem("no command line begins with %q", unused)
			}
			blocks = append(blocks, b)
		case slices.Contains([]string{"sh", "bash", "shell"}, language):
			b, unused := without(block{file: file, line: begin + 1, commands: body}, markersAbove(lines, begin))
			if len(unused) > 0 {
				problem("no command line begins with %q", unused)
			}
			b.commands = []string{strings.Join(b.commands, "\n")}
			blocks = append(blocks, b)
		case !slices.Contains(languages, language):
			problem("the block's language is %q: want console or sh for commands, or one of %v", language, languages)
		case slices.ContainsFunc(body, hidden.MatchString):
			problem("a block that holds no commands (%q) has a command line: make it a console block", language)
		}
	}
	return blocks, problems
}

// prompted are the command lines of a console block: behind "$ ", and what goes on behind "> ". The rest is what they print.
func prompted(body []string) []string {
	var commands []string
	for _, line := range body {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, command)
		} else if more, ok := strings.CutPrefix(line, "> "); ok && len(commands) > 0 {
			commands[len(commands)-1] += "\n" + more
		}
	}
	return commands
}

// A marker keeps what begins with a text from being run; without a text, all of a block.
type marker struct{ begins, reason string }

func markersAbove(lines []string, fence int) []marker {
	var all []marker
	for i := fence - 1; i >= 0; i-- {
		m := notRun.FindStringSubmatch(lines[i])
		if m == nil {
			break
		}
		all = append(all, marker{m[1], m[2]})
	}
	return all
}

// without takes the commands that are not run out of a block. unused are markers that are about none.
func without(b block, markers []marker) (_ block, unused []string) {
	for _, m := range markers {
		rest := slices.DeleteFunc(slices.Clone(b.commands), func(c string) bool { return strings.HasPrefix(c, m.begins) })
		switch {
		case len(rest) == len(b.commands):
			unused = append(unused, m.begins)
		case m.begins == "":
			b.notRun = append(b.notRun, fmt.Sprintf("%s: %s", strings.TrimSpace(b.commands[0]), m.reason))
		default:
			b.notRun = append(b.notRun, fmt.Sprintf("%s: %s", m.begins, m.reason))
		}
		b.commands = rest
	}
	return b, unused
}

// pages are the Markdown files of the repository, by their names relative to it.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && name != "."
		if d.IsDir() && (hidden || slices.Contains([]string{"testdata", "node_modules", "dist", "bin"}, d.Name())) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all["README.md"]) == 0 || len(all) < 5 {
		t.Fatalf("got %d pages only", len(all))
	}
	return all
}

func TestBlocksAreFound(t *testing.T) {
	const page = "text\n" +
		"```console\n$ one  # a comment\noutput\n$ two \\\n> more\n```\n" +
		"<!-- not-run \"three\": too long -->\n```sh\nthree now\nfour\n```\n" +
		"<!-- not-run: no such service -->\n```bash\nfive\nsix\n```\n" +
		"- item\n  ```sh\n  seven\n  ```\n" +
		"```text\nnothing\n```\n"
	blocks, problems := blocksOf("p.md", page)
	if len(problems) > 0 {
		t.Error(problems)
	}
	var got []string
	for _, b := range blocks {
		got = append(got, fmt.Sprintf("%s %q not %q", b, b.commands, b.notRun))
	}
	want := []string{
		`p.md:2 ["one  # a comment" "two \\\nmore"] not []`,
		`p.md:9 ["four"] not ["three: too long"]`,
		`p.md:14 [""] not ["five: no such service"]`,
		`p.md:19 ["seven"] not []`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, wrong := range []string{"```\n$ one\n```\n", "```consol\n$ one\n```\n", "```text\n$ one\n```\n", "```\nmake demo\n```\n", "```sh\none\n", "<!-- not-run \"two\": x -->\n```sh\none\n```\n"} {
		if _, problems := blocksOf("p.md", wrong); len(problems) != 1 {
			t.Errorf("%q: got %v, want a problem", wrong, problems)
		}
	}
}
