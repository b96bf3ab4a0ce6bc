package reference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// notRun says to the test of the documentation why the examples are not executed.
const notRun = "<!-- not-run: examples of the help; a test parses their flags and arguments -->\n"

// Commands writes a page for each command below the root, with its subcommands, and one for the root that lists them. Variable gives the environment
// variable that stands for a flag, or ""; nil = there are none.
func Commands(root *cobra.Command, variable func(flag string) string) []Page {
	if variable == nil {
		variable = func(string) string { return "" }
	}
	begun := func() *writer {
		w := &writer{variable: variable}
		w.WriteString(made("the help of " + root.Name()))
		return w
	}
	top := begun()
	top.root(root)
	pages := []Page{{Name: root.Name() + ".md", Text: top.String()}}
	for _, cmd := range visible(root) {
		w := begun()
		w.command(cmd, "#")
		fmt.Fprintf(w, "\nAll commands, and the flags that all of them take: [%s](%s.md).\n", root.Name(), root.Name())
		pages = append(pages, Page{Name: fileOf(cmd), Text: w.String()})
	}
	return pages
}

// A writer writes one page.
type writer struct {
	strings.Builder
	variable func(flag string) string
}

func fileOf(cmd *cobra.Command) string { return cmd.Parent().Name() + "-" + cmd.Name() + ".md" }

// visible are the subcommands that help lists; cobra sorts them.
func visible(cmd *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(cmd.Commands()), func(sub *cobra.Command) bool { return !sub.IsAvailableCommand() || sub.Name() == "help" })
}

func (w *writer) root(root *cobra.Command) {
	w.about(root, "#")
	w.WriteString("\n## Commands\n\n| command | what it does |\n|---|---|\n")
	for _, cmd := range visible(root) {
		fmt.Fprintf(w, "| [%s](%s) | %s |\n", code(cmd.CommandPath()), fileOf(cmd), cell(cmd.Short))
	}
	w.flags("\n## Flags of all commands\n", root.PersistentFlags())
}

// command writes a command and below it its subcommands.
func (w *writer) command(cmd *cobra.Command, heading string) {
	w.about(cmd, heading)
	w.flags("", cmd.NonInheritedFlags())
	for _, sub := range visible(cmd) {
		w.WriteString("\n")
		w.command(sub, "##")
	}
}

// about writes what a command is, how it is called, and its examples.
func (w *writer) about(cmd *cobra.Command, heading string) {
	fmt.Fprintf(w, "%s %s\n\n%s.\n", heading, cmd.CommandPath(), prose(cmd.Short))
	if cmd.HasParent() {
		fmt.Fprintf(w, "\n```text\nusage: %s\n```\n", cmd.UseLine())
	}
	if cmd.Long != "" {
		w.WriteString("\n" + paragraphs(cmd.Long))
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n%s```sh\n%s\n```\n", notRun, unindented(cmd.Example))
	}
}

// paragraphs keeps the text's own, and makes blocks of what it indents.
func paragraphs(text string) string {
	var b strings.Builder
	block := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented != block {
			if indented && !strings.HasSuffix(b.String(), "\n\n") {
				b.WriteString("\n")
			}
			b.WriteString("```" + map[bool]string{true: "text", false: ""}[indented] + "\n")
			block = indented
		}
		if block {
			b.WriteString(strings.TrimPrefix(line, "  ") + "\n")
		} else {
			b.WriteString(prose(line) + "\n")
		}
	}
	if block {
		b.WriteString("```\n")
	}
	return b.String()
}

func unindented(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimRight(text, "\n"), "  "), "\n  ", "\n")
}

// flags writes a table of flags, or nothing where there are none. It has the variables where a flag has one.
func (w *writer) flags(heading string, set *pflag.FlagSet) {
	var listed []*pflag.Flag
	set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" { // every command has that
			listed = append(listed, f)
		}
	})
	if len(listed) == 0 {
		return
	}
	w.WriteString(heading)
	variables := slices.ContainsFunc(listed, func(f *pflag.Flag) bool { return w.variable(f.Name) != "" })
	if variables {
		w.WriteString("\n| flag | default | what | variable |\n|---|---|---|---|\n")
	} else {
		w.WriteString("\n| flag | default | what |\n|---|---|---|\n")
	}
	for _, f := range listed {
		kind, usage := pflag.UnquoteUsage(f)
		name := code(strings.TrimSpace("--" + f.Name + " " + kind))
		if f.Shorthand != "" {
			name = code("-"+f.Shorthand) + ", " + name
		}
		fmt.Fprintf(w, "| %s | %s | %s |", name, defaultOf(f), cell(usage))
		if variables {
			fmt.Fprintf(w, " %s |", optionalCode(w.variable(f.Name)))
		}
		w.WriteString("\n")
	}
}

// defaultOf is a flag's default where that says something.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "false", "[]", "0", "0s":
		return ""
	}
	return optionalCode(f.DefValue)
}

func optionalCode(text string) string {
	if text == "" {
		return ""
	}
	return code(text)
}
