package dashboard

import (
	"fmt"
	"slices"

	"github.com/geoshard/geoshard/cluster"
)

// The kinds of happenings, by which the page colours them.
const (
	good = "good" // something came back
	bad  = "bad"  // something was lost
	info = "info" // something else
	done = "done" // somebody pressed a button
)

// A happening is a line of the page's log.
type happening struct {
	At   int64  `json:"at"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// changes tells what is different between two looks at the cluster. Primaries are the failovers' part.
func changes(before, after cluster.Status) (list []happening) {
	tell := func(kind, format string, a ...any) {
		list = append(list, happening{after.Taken.UnixMilli(), kind, fmt.Sprintf(format, a...)})
	}
	for _, m := range after.Members {
		old, known := before.Member(m.Name)
		if !known || old.State == m.State {
			continue
		}
		if m.State == cluster.StateUp {
			tell(good, "%s is up again", m.Name)
		} else {
			tell(bad, "%s is %s", m.Name, m.State)
		}
	}
	for _, f := range after.Faults {
		if !slices.Contains(before.Faults, f) {
			tell(bad, "network: %s", f)
		}
	}
	for _, f := range before.Faults {
		if !slices.Contains(after.Faults, f) {
			tell(good, "network: no more %s", f)
		}
	}
	return list
}
