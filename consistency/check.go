package consistency

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/topology"
)

// A Problem is a contradiction in a profile, or between a profile and a topology.
type Problem struct {
	// Severity is an error where the settings are refused or cannot keep what is expected of them, and a warning where they are likely a mistake.
	Severity topology.Severity `json:"severity"`
	// Rule names the rule that found it, for example "staleness-floor".
	Rule    string `json:"rule"`
	Profile string `json:"profile,omitempty"`
	// Shard is empty where the problem is the profile's alone.
	Shard topology.ShardID `json:"shard,omitempty"`
	Msg   string           `json:"message"`
	Hint  string           `json:"suggestion,omitempty"`
}

// String writes the problem on one line.
func (p Problem) String() string {
	text := p.Profile
	if p.Shard != "" {
		text += ": shard " + string(p.Shard)
	}
	text += fmt.Sprintf(": %s: %s", p.Severity, p.Msg)
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return strings.TrimPrefix(text, ": ")
}

const (
	// driverHeartbeat is the driver's own.
	driverHeartbeat = 10 * time.Second
	// idleWrites is how often an idle primary writes a no-op; the driver refuses a staleness below heartbeat and this.
	idleWrites = 10 * time.Second
)

// Check reports everything that contradicts itself in a profile, or that the topology cannot keep. A nil topology leaves out what needs one.
func Check(p Profile, world *topology.Topology) []Problem {
	if world == nil {
		world = &topology.Topology{}
	}
	c := &checker{profile: p}
	c.write()
	c.read()
	c.sessions()
	c.goals(world)
	for _, shard := range world.Shards {
		c.set = setOf(world, shard)
		c.writes()
		c.tags()
	}
	return c.problems
}

type checker struct {
	profile  Profile
	set      replicaSet // the one that the profile is held against; empty while it is looked at alone
	problems []Problem
}

func (c *checker) add(s topology.Severity, rule, suggestion, msg string) {
	c.problems = append(c.problems, Problem{Severity: s, Rule: rule, Profile: c.profile.Name, Shard: c.set.ID, Msg: msg, Hint: suggestion})
}

func (c *checker) errorf(rule, suggestion, format string, args ...any) {
	c.add(topology.SeverityError, rule, suggestion, fmt.Sprintf(format, args...))
}

func (c *checker) warnf(rule, suggestion, format string, args ...any) {
	c.add(topology.SeverityWarning, rule, suggestion, fmt.Sprintf(format, args...))
}

func (c *checker) write() {
	w := c.profile.Write
	kinds := 0
	for _, set := range []bool{w.Members > 0, w.Majority, w.Mode.Name != ""} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		c.errorf("write-kinds", "keep one of Members, Majority and Mode", "the write concern is given in %d ways", kinds)
	}
	if w.Members < 0 || w.Mode.Name != "" && w.Mode.Datacenters < 1 {
		c.errorf("write-count", "count from 1", "a write concern of %s", w)
	}
	if w.Members != 1 && c.profile.Timeout <= 0 {
		c.warnf("no-timeout", "set Timeout", "writes with %s and no timeout wait for ever while members are away", w)
	}
	if c.profile.NoRetryWrites {
		c.warnf("no-retry", "leave retryable writes on", "with retryable writes off each election shows up as errors of writes that may have happened")
	}
}

// String is the write concern as a person writes it.
func (w Write) String() string {
	text := "the default write concern"
	switch {
	case w.Majority:
		text = "w: majority"
	case w.Mode.Name != "":
		text = "w: " + w.Mode.Name
	case w.Members != 0:
		text = fmt.Sprintf("w: %d", w.Members)
	}
	if w.Journal {
		text += ", journaled"
	}
	return text
}

var readConcerns = []string{"", "local", "available", "majority", "linearizable", "snapshot"}

func (c *checker) read() {
	r, mode := c.profile.Read, c.profile.mode()
	if !slices.Contains(readConcerns, r.Concern) {
		c.errorf("read-concern", "the levels are "+strings.Join(readConcerns[1:], ", "), "read concern %q does not exist", r.Concern)
	}
	if !mode.IsValid() {
		c.errorf("read-mode", "use one of the driver's modes", "read preference mode %d does not exist", mode)
	}
	if mode == readpref.PrimaryMode && (r.OwnDatacenter || len(r.Tags) > 0) {
		c.errorf("primary-with-tags", "read from the nearest member, or leave the tags out", "a read preference with mode primary takes no tags: there is one primary, wherever it is")
	}
	if r.Concern == "linearizable" && mode != readpref.PrimaryMode {
		c.errorf("strict-on-secondary", "read with mode primary", "linearizable reads with mode %s: secondaries refuse them", mode)
	}
	c.staleness(mode)
}

func (c *checker) staleness(mode readpref.Mode) {
	r := c.profile.Read
	if r.MaxStaleness == 0 {
		return
	}
	if mode == readpref.PrimaryMode {
		c.errorf("staleness-with-primary", "leave it out: the primary is never behind", "maxStaleness %s with mode primary is refused", r.MaxStaleness)
	}
	if r.MaxStaleness < leastStaleness {
		c.errorf("staleness-floor", "use 90s, and Bound for less", "maxStaleness %s is below the servers' least, %s", r.MaxStaleness, leastStaleness)
	}
	heartbeat := cmp.Or(c.profile.Heartbeat, driverHeartbeat)
	if least := heartbeat + idleWrites; r.MaxStaleness < least {
		c.errorf("staleness-heartbeat", "ask more often, or allow "+least.String(), "maxStaleness %s is below the heartbeat of %s and the %s within which an idle primary writes: the driver refuses it",
			r.MaxStaleness, heartbeat, idleWrites)
	}
}

func (c *checker) sessions() {
	p := c.profile
	if p.Causal && p.Snapshot {
		c.errorf("causal-snapshot", "choose one", "a session is either causal or of snapshot reads")
	}
	if p.Causal && (p.Read.Concern != "majority" || !p.Write.Majority) {
		c.errorf("causal-without-majority", "use majority for both", "causal with read concern %q and %s: after a failover a session may not see its own write; only majority reads with majority writes keep the guarantee",
			p.Read.Concern, p.Write)
	}
	if p.Read.Bound > 0 && !p.Causal {
		c.errorf("bound-without-causal", "make the profile causal", "a bound of %s needs a causal session: outside of one the driver asks no member to wait", p.Read.Bound)
	}
}

// goals holds the author's expectations against the settings.
func (c *checker) goals(world *topology.Topology) {
	w, g := c.profile.Write, c.profile.Goals
	remote := w.Majority || w.Mode.Datacenters > 1 || w.Members > 1
	switch {
	case g.LocalWrites && g.Lossless:
		c.errorf("local-and-lossless", "give up one of the two, or choose per operation", "local and lossless is no setting: before it is acknowledged, a write that survives its datacenter has been to another one and back%s", nearestCost(world))
	case g.Lossless && !remote && w.Members == 1:
		c.errorf("lossless-with-w1", "use majority or multiDatacenter", "lossless with %s: what no other member has copied is lost with the primary", w)
	case g.LocalWrites && remote:
		c.errorf("local-with-remote-write", "use w: 1, or give up local writes", "local writes with %s: they wait for other datacenters%s", w, nearestCost(world))
	}
}

// nearestCost says what the round trip to the nearest other datacenter takes, from where it takes longest.
func nearestCost(world *topology.Topology) string {
	var worst time.Duration
	var from topology.DatacenterID
	for _, shard := range world.Shards {
		set := setOf(world, shard)
		away := slices.DeleteFunc(set.data, func(m topology.Member) bool { return m.DC == set.home })
		if len(away) == 0 {
			continue
		}
		if rtt := world.RTT(set.home, set.nearest(set.home, away)); rtt > worst {
			worst, from = rtt, set.home
		}
	}
	if worst == 0 {
		return ""
	}
	return fmt.Sprintf(", up to %s for the nearest (from %s)", worst, from)
}
