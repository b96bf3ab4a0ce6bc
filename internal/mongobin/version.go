package mongobin

import (
	"fmt"
	"regexp"
)

// A Version is a server version, such as 6.0.5. The zero value is no version.
type Version struct{ Major, Minor, Patch int }

// MinVersion is the oldest server that geoshard works with: the zone and balancer commands it relies on came with 6.0.
var MinVersion = Version{6, 0, 0}

// versionLine matches what mongod ("db version v6.0.5") and mongos ("mongos version v6.0.5") print first for --version.
var versionLine = regexp.MustCompile(`(?m)^(db|mongos) version (v\S+)`)

var versionNumber = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-\S+)?$`)

// ParseVersion reads "6.0.5", "v6.0.5" or "8.0.0-rc1".
func ParseVersion(s string) (Version, error) {
	m := versionNumber.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fmt.Errorf("parse version %q: want MAJOR.MINOR.PATCH", s)
	}
	var v Version
	// The expression admits up to four digits each, so Sscan cannot fail.
	_, _ = fmt.Sscan(m[1], &v.Major)
	_, _ = fmt.Sscan(m[2], &v.Minor)
	_, _ = fmt.Sscan(m[3], &v.Patch)
	return v, nil
}

// String returns "6.0.5".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Release returns "6.0": programs of one release work together.
func (v Version) Release() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}
