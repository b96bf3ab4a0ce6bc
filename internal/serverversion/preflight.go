package serverversion

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Release is what is known of geoshard on one of MongoDB's releases.
type Release struct {
	Name string
	// Run means that the suites are run on it.
	Run bool
	// How is what was done, for docs/versions.md.
	How string
}

// Releases are those that something is known of, the oldest first.
var Releases = []Release{
	{"6.0", true, "all suites, on `mongod` 6.0.5 (zones and the start of their clusters on 6.0.27) with the development query router. Once, not in CI, behind a `mongos` " +
		"built from MongoDB's source of July 2021"},
	{"7.0", false, "source and manual were read, nothing was run"},
	{"8.0", false, "source and manual were read, nothing was run"},
	{"8.2", false, "source and manual were read, nothing was run"},
	{"8.3", false, "source and manual were read, nothing was run"},
	{"9.0", false, "the manual's page of incompatible changes was read and has nothing that geoshard uses; " +
		"nothing was run"},
}

// Facts are what a command knows of a cluster's servers before it goes on.
type Facts struct {
	Servers []Server
	// Shards is how many shards there are; Balancing means that the balancer runs; ConfigShard that
	// the config servers are one of the shards.
	Shards      int
	Balancing   bool
	ConfigShard bool
	// Direct means that documents are about to be read from members of shards, with a login.
	Direct bool
}

// A Server is one that told its version.
type Server struct {
	// Name is what a message calls it: "the query router", "shard lon".
	Name string
	// Version is that of its program, "6.0.5". FCV is its featureCompatibilityVersion, "6.0"; empty
	// where it is not known.
	Version, FCV string
}

// A Warning is something to know before a command goes on. Refused means that nothing will work:
// the servers are too old.
type Warning struct {
	Rule, Message, Hint string
	Refused             bool
}

// String is the warning in one line.
func (w Warning) String() string {
	if w.Hint == "" {
		return w.Message
	}
	return w.Message + ": " + w.Hint
}

const (
	// docsPage is where the rules are explained.
	docsPage = "docs/versions.md"
	tryFirst = "try it on a copy of the cluster first"
)

// Preflight says what the servers' versions mean for what is about to be done.
func Preflight(f Facts) (warnings []Warning) {
	warn := func(rule, hint, format string, args ...any) {
		warnings = append(warnings, Warning{Rule: rule, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	var versions []Version
	byRelease := map[string][]string{}
	for _, s := range f.Servers {
		v, err := Parse(s.Version)
		if err != nil {
			warn("version", "geoshard needs MongoDB 6.0 or later", "the version %q of %s cannot be read", s.Version, s.Name)
			continue
		}
		versions = append(versions, v)
		byRelease[v.Release()] = append(byRelease[v.Release()], s.Name)
		if fcv, err := Parse(s.FCV + ".0"); s.FCV != "" && err == nil && fcv.Less(Version{v[0], v[1]}) {
			warn("fcv-older", "finish the upgrade with setFeatureCompatibilityVersion once you will not go back",
				"the featureCompatibilityVersion of %s is %s, and MongoDB %s runs there: what came since is off",
				s.Name, s.FCV, s.Version)
		}
	}
	if len(versions) == 0 {
		return warnings
	}
	if oldest := slices.MinFunc(versions, Version.compare); TooOld.Holds(oldest) {
		return append(warnings, Warning{Rule: "version", Refused: true, Hint: "upgrade to 6.0 or later",
			Message: fmt.Sprintf("the oldest server runs MongoDB %s: geoshard needs 6.0 or later", oldest)})
	}
	if len(byRelease) > 1 {
		var each []string
		for _, release := range slices.SortedFunc(maps.Keys(byRelease), compareReleases) {
			each = append(each, release+" on "+strings.Join(byRelease[release], ", "))
		}
		warn("versions-mixed", "finish the upgrade before you change zones",
			"the servers run different releases: %s", strings.Join(each, "; "))
	}
	for _, release := range slices.SortedFunc(maps.Keys(byRelease), compareReleases) {
		at := slices.IndexFunc(Releases, func(r Release) bool { return r.Name == release })
		switch {
		case at < 0:
			warn("version-not-run", tryFirst, "geoshard knows nothing of MongoDB %s, and was never run on it (%s)", release, docsPage)
		case !Releases[at].Run:
			warn("version-not-run", tryFirst,
				"geoshard was not run on MongoDB %s yet: it follows the manual and the source (%s)", release, docsPage)
		}
	}
	holds := func(r Rule) (Version, bool) {
		at := slices.IndexFunc(versions, r.Holds)
		return versions[max(at, 0)], at >= 0
	}
	if v, ok := holds(BalancerCrash); ok && f.Shards >= 4 && f.Balancing {
		hint := "upgrade to 6.0.12 or later before the balancer enforces zones"
		if !v.Less(Version{6, 1, 0}) {
			hint = "check jira.mongodb.org/browse/SERVER-82325 for this version, or upgrade to 7.0.5 or later"
		}
		warn("version", hint, "with MongoDB %s, 4 or more shards and the balancer on, the primary of the config servers "+
			"may crash while zones are enforced or a shard is drained (SERVER-82325)", v)
	}
	if v, ok := holds(Advisory131805); ok {
		warn(Advisory131805.Name, "upgrade to 8.3.13 or later",
			"MongoDB's manual has a critical advisory for 8.3.0 to 8.3.12, and %s is one of them (SERVER-131805)", v)
	}
	if f.ConfigShard {
		warn(ConfigShard.Name, "keep its replica set as safe as the catalogue has to be",
			"the config servers are a shard as well, config: what is lost with them is catalogue and documents")
	}
	if v, ok := holds(DirectReads); ok && f.Direct && f.Shards > 1 {
		warn(DirectReads.Name, "grant it to the user of --shard-credentials on each shard, or use --via-router",
			"from MongoDB 8.0 on, reading documents from a shard's members takes the role directShardOperations there, "+
				"and %s asks for it", v)
	}
	return warnings
}

// compareReleases orders names such as "6.0" and "10.0".
func compareReleases(a, b string) int { return atRelease(a).compare(atRelease(b)) }

// atRelease is the first version of a release.
func atRelease(name string) Version {
	v, _ := Parse(name + ".0") // names come from versions that were parsed
	return v
}
