package apply

import (
	"time"

	"github.com/geoshard/geoshard/zones"
)

// What makes the time of an apply, measured with nyc-lon-syd and without delays, 500 and 5,000 ranges (docs/results/zones.md).
const (
	// waitsOfGroup is how often a group of steps waits for a majority of the config servers: for the journal, for the lease, for the changes, which are on
	// their way at the same time, and for what is read back.
	waitsOfGroup = 4
	// changeTakes is what the config servers need for a change by themselves. They make one after the other.
	changeTakes = 3500 * time.Microsecond
	// rangeTakes is what they need for each range that a collection has already, at each change of its ranges: they read them all, to see that none overlaps.
	rangeTakes = 7 * time.Microsecond
)

// Expected is how long Apply will take about for a plan, where a majority of the config servers acknowledges a write after that time. It is a guess: other
// work on the servers makes it longer, and their processors are not those of the measurements.
func Expected(p *zones.Plan, acknowledgement time.Duration) (total time.Duration) {
	ranges := rangesBefore(p) // that the collections have, as the steps go on
	for left := inOrder(p.Steps); len(left) > 0; {
		n := group(left)
		total += waitsOfGroup * acknowledgement
		for _, step := range left[:n] {
			collection, more := growth(step.Change)
			total += changeTakes + time.Duration(ranges[collection])*rangeTakes
			ranges[collection] += more
		}
		left = left[n:]
	}
	return total
}

// growth is how many ranges a change adds to which collection; no collection for changes that are not of ranges.
func growth(c zones.Change) (collection string, more int) {
	switch c := c.(type) {
	case zones.AddRange:
		return c.Collection, 1
	case zones.RemoveRange:
		return c.Collection, -1
	default:
		return "", 0
	}
}
