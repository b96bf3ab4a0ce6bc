package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/geoshard/geoshard/topology"
)

func newValidateCommand(env *environment) *cobra.Command {
	var flags struct {
		Preset string `flag:"preset,oneRun" complete:"presets" usage:"check a preset instead of a file"`
	}
	return withFlags(&cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a topology document",
		Long: `Check a topology document (default geoshard.yaml) and report everything that is wrong with it at once, with file, line and a way out:
unknown keys, names, links, the placement rules of an active-active cluster, the declared survival goal, zones, shard keys and ranges.

Warnings point at what is legal and likely a mistake; they do not change the exit code. A valid document's last line is what a killed primary costs.`,
		Example: `  geoshard validate
  geoshard validate worlds/eu.yaml
  geoshard validate --preset us-east-west --output json`,
		RunE: func(_ *cobra.Command, args []string) error {
			src, err := readSource(strings.Join(args, ""), flags.Preset)
			if err != nil {
				return err
			}
			world, v := checked(src)
			if v.Valid {
				v.Failover = foreseen(world)
			}
			return env.judge(v, v.Valid, "%s is not valid: %s", src.name, v.count())
		},
	}, &flags)
}

// A validation is what validate shows.
type validation struct {
	File     string             `json:"file"`
	Valid    bool               `json:"valid"`
	Problems []topology.Problem `json:"problems"`
	// Failover is what a killed primary costs; empty where it was not asked for, or the document is not valid.
	Failover string `json:"failover,omitempty"`
	lines    []string
	summary  string
}

// checked reads a document with all its problems.
func checked(src source) (*topology.Topology, validation) {
	world, problems := topology.Check(src.name, src.text)
	return world, validation{
		File:     src.name,
		Valid:    !slices.ContainsFunc(problems, func(p topology.Problem) bool { return p.Severity == topology.SeverityError }),
		Problems: append([]topology.Problem{}, problems...), // [] in JSON, not null
		lines:    strings.Split(string(src.text), "\n"),
		summary:  summarise(world),
	}
}

func (v validation) text(out page) {
	for _, p := range v.Problems {
		out.println(p)
		v.excerpt(out, p)
	}
	if v.Valid {
		out.printf("%s: %s: %s\n", v.File, out.good("valid"), v.summary)
		if v.Failover != "" {
			out.println(v.Failover)
		}
	}
}

// excerpt shows a problem's line and points at the column.
func (v validation) excerpt(out page, p topology.Problem) {
	const before, width = 60, 120 // keep the column in sight in a terminal
	if p.Line < 1 || p.Line > len(v.lines) {
		return
	}
	line := []rune(strings.ReplaceAll(strings.TrimRight(v.lines[p.Line-1], "\r"), "\t", " "))
	from := max(0, p.Column-1-before)
	if p.Column < 1 || from >= len(line) {
		return
	}
	shown := line[from:min(len(line), from+width)]
	out.printf("%s\n", out.faint(fmt.Sprintf("%6d | %s", p.Line, string(shown))))
	out.printf("%s\n", out.faint(fmt.Sprintf("%6s | %s^", "", strings.Repeat(" ", p.Column-1-from))))
}

// count says how many problems there are.
func (v validation) count() string {
	counts := map[topology.Severity]int{}
	for _, p := range v.Problems {
		counts[p.Severity]++
	}
	text := plural(counts[topology.SeverityError], "error")
	if n := counts[topology.SeverityWarning]; n > 0 {
		text += ", " + plural(n, "warning")
	}
	return text
}

func summarise(w *topology.Topology) string {
	members := 0
	for _, s := range w.Shards {
		members += len(s.Members)
	}
	text := fmt.Sprintf("%s, %s with %s, %s, %s", plural(len(w.Datacenters), "datacenter"), plural(len(w.Shards), "shard"),
		plural(members, "member"), plural(len(w.Zones), "zone"), plural(len(w.Namespaces), "namespace"))
	if w.Survive != topology.SurviveUnstated {
		text += fmt.Sprintf("; survives the loss of a %s", w.Survive)
	}
	return text
}

func plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
