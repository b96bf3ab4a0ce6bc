package cli

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
	"github.com/muesli/termenv"
)

// A view is a result: it writes itself for a person, and encodes as JSON for a program.
type view interface {
	text(out page)
}

// A page is what a view is written on.
type page struct {
	io.Writer
	styles
}

func (p page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p page) println(args ...any) { fmt.Fprintln(p, args...) }

// styles are the few colours there are. They do nothing where there is no terminal, NO_COLOR is set or --no-color is given.
type styles struct {
	good, bad, warn, faint, bold style
	heads, cells                 lipgloss.Style // of a grid
}

// A style colours texts.
type style = func(...string) string

func (e *environment) page(w io.Writer) page { return page{w, e.styles(w)} }

// styles are those for what is written to w in the end.
func (e *environment) styles(w io.Writer) styles {
	r := lipgloss.NewRenderer(w) // looks at the terminal and NO_COLOR
	if e.noColor {
		r.SetColorProfile(termenv.Ascii)
	}
	plain := r.NewStyle()
	colour := func(ansi string) style { return plain.Foreground(lipgloss.Color(ansi)).Render }
	return styles{
		good: colour("2"), bad: colour("1"), warn: colour("3"), faint: plain.Faint(true).Render, bold: plain.Bold(true).Render,
		heads: plain.Faint(true).PaddingRight(3), cells: plain.PaddingRight(3),
	}
}

// A grid lays rows out in columns. Columns that are empty below their heads are left out.
type grid struct {
	page
	rows [][]string // the heads first
}

// grid begins a grid with the heads of its columns.
func (p page) grid(heads ...string) *grid { return &grid{p, [][]string{heads}} }

// plain escapes what is not printed but obeyed: names of a cluster may have anything in them.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return text
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// unlessZero leaves the cell of a zero empty.
func unlessZero[T comparable](value T) any {
	var zero T
	if value == zero {
		return ""
	}
	return value
}

// row adds a row. Cells that are left out are empty.
func (g *grid) row(cells ...any) {
	row := make([]string, len(g.rows[0]))
	for i, cell := range cells {
		row[i] = fmt.Sprint(cell)
	}
	g.rows = append(g.rows, row)
}

// String has a line for each row.
func (g *grid) String() string {
	kept := g.fullColumns()
	t := table.New().Border(lipgloss.HiddenBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).Wrap(false).Headers(kept[0]...).Rows(kept[1:]...).
		StyleFunc(func(row, _ int) lipgloss.Style {
			if row == table.HeaderRow {
				return g.heads
			}
			return g.cells
		})
	var b strings.Builder
	for line := range strings.SplitSeq(t.String(), "\n") {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func (g *grid) fullColumns() [][]string {
	kept := make([][]string, len(g.rows))
	for column := range g.rows[0] {
		full := slices.ContainsFunc(g.rows[1:], func(row []string) bool { return row[column] != "" })
		for i, row := range g.rows {
			if full {
				kept[i] = append(kept[i], row[column])
			}
		}
	}
	return kept
}
