package reference

import (
	"fmt"
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
	w := writer{variable: variable, from: "the help of " + root.Name()}
	pages := []Page{{Name: root.Name() + ".md", Text: w.root(root)}}
	for _, cmd := range visible(root) {
		pages = append(pages, Page{Name: fileOf(cmd), Text: w.page(cmd)})
	}
	return pages
}

type writer struct {
	variable func(flag string) string
	from     string
}

func fileOf(cmd *cobra.Command) string { return cmd.Parent().Name() + "-" + cmd.Name() + ".md" }

// visible are the subcommands that help lists; cobra sorts them.
func visible(cmd *cobra.Command) []*cobra.Command {
	var subs []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			subs = append(subs, sub)
		}
	}
	return subs
}

func (w writer) root(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(made(w.from))
	w.about(&b, root, "#")
	b.WriteString("\n## Commands\n\n| command | what it does |\n|---|---|\n")
	for _, cmd := range visible(root) {
		fmt.Fprintf(&b, "| [%s](%s) | %s |\n", code(cmd.CommandPath()), fileOf(cmd), cell(cmd.Short))
	}
	w.flags(&b, "\n## Flags of all commands\n", root.PersistentFlags())
	return b.String()
}

func (w writer) page(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(made(w.from))
	w.command(&b, cmd, "#")
	fmt.Fprintf(&b, "\nAll commands, and the flags that all of them take: [%s](%s.md).\n", cmd.Root().Name(), cmd.Root().Name())
	return b.String()
}

// command writes a command and below it its subcommands.
func (w writer) command(b *strings.Builder, cmd *cobra.Command, heading string) {
	w.about(b, cmd, heading)
	own := cmd.NonInheritedFlags()
	w.flags(b, "", own)
	for _, sub := range visible(cmd) {
		b.WriteString("\n")
		w.command(b, sub, "##")
	}
}

// about writes what a command is, how it is called, and its examples.
func (w writer) about(b *strings.Builder, cmd *cobra.Command, heading string) {
	fmt.Fprintf(b, "%s %s\n\n%s.\n", heading, cmd.CommandPath(), prose(cmd.Short))
	if cmd.HasParent() {
		fmt.Fprintf(b, "\n```text\nusage: %s\n```\n", cmd.UseLine())
	}
	if cmd.Long != "" {
		b.WriteString("\n" + paragraphs(cmd.Long))
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n%s```sh\n%s\n```\n", notRun, unindented(cmd.Example))
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

// flags writes a table of flags, or nothing where there are none.
func (w writer) flags(b *strings.Builder, heading string, set *pflag.FlagSet) {
	var rows strings.Builder
	variables := false
	set.VisitAll(func(f *pflag.Flag) { variables = variables || shown(f) && w.variable(f.Name) != "" })
	set.VisitAll(func(f *pflag.Flag) {
		if !shown(f) {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := code(strings.TrimSpace("--" + f.Name + " " + kind))
		if f.Shorthand != "" {
			name = code("-"+f.Shorthand) + ", " + name
		}
		fmt.Fprintf(&rows, "| %s | %s | %s |", name, defaultOf(f), cell(usage))
		if variables {
			fmt.Fprintf(&rows, " %s |", optionalCode(w.variable(f.Name)))
		}
		rows.WriteString("\n")
	})
	if rows.Len() == 0 {
		return
	}
	b.WriteString(heading)
	if variables {
		b.WriteString("\n| flag | default | what | variable |\n|---|---|---|---|\n")
	} else {
		b.WriteString("\n| flag | default | what |\n|---|---|---|\n")
	}
	b.WriteString(rows.String())
}

// shown leaves out what every command has.
func shown(f *pflag.Flag) bool { return !f.Hidden && f.Name != "help" }

// defaultOf is a flag's default where that says something.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "[]", "0", "0s":
		return ""
	}
	return code(f.DefValue)
}

func optionalCode(text string) string {
	if text == "" {
		return ""
	}
	return code(text)
}
