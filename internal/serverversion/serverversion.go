package serverversion

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// A Version is a server version, such as 6.0.5: major, minor and patch. The zero value is no version.
type Version [3]int

// Oldest is the oldest release that geoshard works with: the zone and balancer commands it relies
// on came with 6.0.
var Oldest = Version{6, 0, 0}

var number = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-\S+)?$`)

// Parse reads "6.0.5", "v6.0.5" or "8.0.0-rc1".
func Parse(s string) (Version, error) {
	m := number.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("parse version %q: want MAJOR.MINOR.PATCH", s)
	}
	var v Version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // the expression admits up to four digits, so it cannot fail
	}
	return v, nil
}

// String returns "6.0.5".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Release returns "6.0": programs of one release work together.
func (v Version) Release() string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool { return v.compare(w) < 0 }

func (v Version) compare(w Version) int { return slices.Compare(v[:], w[:]) }
