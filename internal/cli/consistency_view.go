package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// A span is a forecast as it is shown; nil = never.
type span struct {
	Least  cluster.Duration `json:"least"`
	Median cluster.Duration `json:"median"`
	Mean   cluster.Duration `json:"mean"`
	Most   cluster.Duration `json:"most"`
}

func newSpan(s *consistency.Span) *span {
	if s == nil {
		return nil
	}
	shown := func(d time.Duration) cluster.Duration { return cluster.Duration(d.Round(100 * time.Microsecond)) }
	return &span{shown(s.Least), shown(s.Median), shown(s.Mean), shown(s.Most)}
}

// String is "77ms, busy 77ms to 152ms", or one figure where all are the same.
func (s *span) String() string {
	switch {
	case s == nil:
		return "never"
	case s.Least == s.Most:
		return s.Median.String()
	default:
		return fmt.Sprintf("%s, busy %s to %s", s.Median, s.Least, s.Most)
	}
}

// settings are a profile's settings in words.
type profileSettings struct {
	Write   string           `json:"write"`
	Read    string           `json:"read"`
	Session string           `json:"session"`
	Timeout cluster.Duration `json:"timeout"`
}

func settingsOf(p consistency.Profile) profileSettings {
	session := "any"
	switch {
	case p.Causal:
		session = "causal"
	case p.Snapshot:
		session = "snapshot"
	}
	return profileSettings{Write: p.Write.String(), Read: readText(p.Read), Session: session, Timeout: cluster.Duration(p.Timeout)}
}

func readText(r consistency.Read) string {
	text := r.Concern + ", " + cmp.Or(r.Mode, readpref.PrimaryMode).String()
	if r.OwnDatacenter {
		text += " in the own datacenter"
		if r.Elsewhere {
			text += ", else anywhere"
		}
	}
	if r.MaxStaleness > 0 {
		text += fmt.Sprintf(", at most %s behind by the driver's estimate", r.MaxStaleness)
	}
	if r.Bound > 0 {
		text += fmt.Sprintf(", at most %s by waiting", r.Bound)
	}
	return text
}

// A profileList is what consistency list shows.
type profileList struct {
	Topology      string       `json:"topology"`
	ServerVersion string       `json:"serverVersion"`
	Profiles      []profileRow `json:"profiles"`
}

type profileRow struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	profileSettings
	// LocalWrite and LocalRead are medians for a datacenter's own records, from the quickest to the slowest datacenter.
	LocalWrite []cluster.Duration `json:"localWrite"`
	LocalRead  []cluster.Duration `json:"localRead"`
}

func newProfileList(name string, world *topology.Topology) profileList {
	list := profileList{Topology: name, ServerVersion: consistency.Model60.ServerVersion}
	for _, p := range consistency.Named() {
		row := profileRow{Name: p.Name, Summary: p.Summary, profileSettings: settingsOf(p)}
		for _, e := range consistency.Forecast(p, world, consistency.Model60, nil) {
			if e.Local {
				row.LocalWrite = widen(row.LocalWrite, newSpan(e.Write))
				row.LocalRead = widen(row.LocalRead, newSpan(e.Read))
			}
		}
		list.Profiles = append(list.Profiles, row)
	}
	return list
}

// widen makes a range of durations contain another median.
func widen(r []cluster.Duration, s *span) []cluster.Duration {
	switch {
	case s == nil:
		return r
	case len(r) == 0:
		return []cluster.Duration{s.Median, s.Median}
	default:
		return []cluster.Duration{min(r[0], s.Median), max(r[1], s.Median)}
	}
}

func (l profileList) text(out page) {
	t := out.grid("profile", "write", "takes", "read", "takes", "what for")
	for _, p := range l.Profiles {
		read, _, _ := strings.Cut(p.Read, " in the own") // there is no room for what follows the first two settings
		t.row(p.Name, p.Write, rangeText(p.LocalWrite), read, rangeText(p.LocalRead), p.Summary)
	}
	out.printf("%s\n", t)
	out.printf("Medians for a datacenter's own records in %s; model fitted on MongoDB %s.\n", l.Topology, l.ServerVersion)
}

func rangeText(r []cluster.Duration) string {
	switch {
	case len(r) == 0:
		return "never"
	case r[0] == r[1]:
		return r[0].String()
	default:
		return fmt.Sprintf("%s to %s", r[0], r[1])
	}
}

// An explanation is what consistency explain shows.
type explanation struct {
	Topology      string                `json:"topology"`
	ServerVersion string                `json:"serverVersion"`
	Profile       string                `json:"profile"`
	Summary       string                `json:"summary"`
	Settings      profileSettings       `json:"settings"`
	Promise       consistency.Promise   `json:"promise"`
	Problems      []consistency.Problem `json:"problems"`
	Forecast      []forecastCell        `json:"forecast"`
}

type forecastCell struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	Shard      topology.ShardID      `json:"shard"`
	Home       topology.DatacenterID `json:"home"`
	Write      *span                 `json:"write"`
	Read       *span                 `json:"read"`
}

func newExplanation(name string, p consistency.Profile, world *topology.Topology) explanation {
	v := explanation{
		Topology: name, ServerVersion: consistency.Model60.ServerVersion, Profile: p.Name, Summary: p.Summary, Settings: settingsOf(p), Promise: p.Promise,
		Problems: append([]consistency.Problem{}, consistency.Check(p, world)...),
	}
	for _, e := range consistency.Forecast(p, world, consistency.Model60, nil) {
		v.Forecast = append(v.Forecast, forecastCell{e.Datacenter, e.Shard, e.Home, newSpan(e.Write), newSpan(e.Read)})
	}
	return v
}

func (v explanation) text(out page) {
	out.printf("%s: %s\n\n", out.bold(v.Profile), v.Summary)
	settings := out.grid("setting", "")
	settings.row("write", v.Settings.Write)
	settings.row("read", v.Settings.Read)
	settings.row("session", v.Settings.Session)
	settings.row("timeout", v.Settings.Timeout)
	out.printf("%s\n", settings)
	for _, part := range [][2]string{{"Writes", v.Promise.Write}, {"Reads", v.Promise.Read}, {"Failures", v.Promise.Failure}} {
		out.printf("%s\n%s\n\n", out.bold(part[0]), wrap(part[1]))
	}
	for _, p := range v.Problems {
		out.println(p)
	}
	if len(v.Problems) > 0 {
		out.println()
	}
	t := out.grid("client in", "record of", "primary in", "a write takes", "a read takes")
	for _, c := range v.Forecast {
		t.row(c.Datacenter, c.Shard, c.Home, c.Write, c.Read)
	}
	out.printf("%s\n", t)
	out.printf("Forecast of medians for %s, members at rest, no faults; busy = one operation after the other without a pause. Model fitted on MongoDB %s; all members copy\nfrom their primary.\n", v.Topology, v.ServerVersion)
}

// wrap breaks a text into indented lines of at most 100 columns.
func wrap(text string) string {
	const indent, columns = "  ", 100
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(indent+line+" "+word) > columns {
			lines, line = append(lines, indent+line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, indent+line), "\n")
}

// A profileCheck is what consistency check shows.
type profileCheck struct {
	Topology string                `json:"topology"`
	Valid    bool                  `json:"valid"`
	Profiles []string              `json:"profiles"`
	Problems []consistency.Problem `json:"problems"`
	failures int                   // problems that are errors
}

func newProfileCheck(name string, profiles []consistency.Profile, world *topology.Topology) profileCheck {
	v := profileCheck{Topology: name, Problems: []consistency.Problem{}}
	for _, p := range profiles {
		v.Profiles = append(v.Profiles, p.Name)
		v.Problems = append(v.Problems, consistency.Check(p, world)...)
	}
	for _, p := range v.Problems {
		if p.Severity == topology.SeverityError {
			v.failures++
		}
	}
	v.Valid = v.failures == 0
	return v
}

func (v profileCheck) text(out page) {
	for _, p := range v.Problems {
		out.println(p)
	}
	if v.Valid {
		out.printf("%s: %s: %s\n", v.Topology, out.good("valid"), strings.Join(v.Profiles, ", "))
	}
}
