package consistency

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/spelling"
)

// ErrUnknownProfile means that no named profile has that name.
var ErrUnknownProfile = errors.New("unknown profile")

// The timeouts give an election (12 s at MongoDB's own settings, 2 to 5 s tuned) time to pass before an operation fails.
const (
	localTimeout = 15 * time.Second
	wanTimeout   = 20 * time.Second
	// scanTimeout is for reads of whole collections.
	scanTimeout = 5 * time.Minute
	// leastStaleness is the smallest maxStalenessSeconds that servers accept.
	leastStaleness = 90 * time.Second
	// usualBound is above the 10 s within which an idle primary writes a no-op, so that reads of an idle shard need not wait for one.
	usualBound = 15 * time.Second
)

const (
	rollbackNote = "may have been rolled back after a failover"
	homeFailure  = "Records of a shard whose primary is away cannot be written until another one is elected; the driver retries once. "
)

// named go from the quickest to the strictest.
var named = []Profile{{
	Name:    "local-fast",
	Summary: "fastest: one member, journaled; reads from the nearest member",
	Write:   Write{Members: 1, Journal: true},
	Read:    Read{Concern: "local", Mode: readpref.NearestMode, OwnDatacenter: true, Elsewhere: true},
	Timeout: localTimeout,
	Goals:   Goals{LocalWrites: true},
	Promise: Promise{
		Write: "An acknowledged write is in the journal of the primary: it survives a crash and restart of that process. It is lost when the primary " +
			"or its datacenter is lost before another member has copied the write, and rolled back when the primary was cut off.",
		Read:    "A read may be behind by the lag of the member that answers, may miss the reader's own write, and " + rollbackNote + ".",
		Failure: homeFailure + "Reads go on from any member.",
	},
}, {
	Name:    "analytics",
	Summary: "totals over all zones from copies in the own datacenter",
	Write:   Write{Majority: true},
	Read:    Read{Concern: "majority", Mode: readpref.SecondaryPreferredMode, OwnDatacenter: true},
	Timeout: scanTimeout,
	Promise: Promise{
		Write: "As with durable.",
		Read: "Every shard is read from a secondary in the own datacenter; where the only member there is the primary, from the primary. What is read is never rolled " +
			"back. Each shard may be behind by a lag of its own, so a total can mix moments.",
		Failure: "Where a shard has no secondary in the own datacenter, its primary answers, wherever it is.",
	},
}, {
	Name:    "bounded",
	Summary: "nearest member, not older than a bound",
	Write:   Write{Majority: true},
	Read: Read{Concern: "majority", Mode: readpref.NearestMode, OwnDatacenter: true, Elsewhere: true,
		MaxStaleness: leastStaleness, Bound: usualBound},
	Causal:  true,
	Timeout: wanTimeout,
	Promise: Promise{
		Write: "As with durable.",
		Read: "A read is at most 15 s old, by Witness.Freshen: it waits until the member has everything older. Without that call the driver's own estimate leaves out " +
			"members more than 90 s behind. What is read is never rolled back.",
		Failure: homeFailure + "Where no member is new enough in time, the read fails and says so.",
	},
}, {
	Name:    "multi-datacenter",
	Summary: "acknowledged in two datacenters, for one to two round trips",
	Write:   Write{Mode: MultiDatacenter},
	Read:    Read{Concern: "local", Mode: readpref.PrimaryMode},
	Timeout: wanTimeout,
	Goals:   Goals{Lossless: true},
	Promise: Promise{
		Write: "An acknowledged write is in members of two datacenters: it survives the loss of either one. In sets of at most three votes that is a majority, " +
			"and nothing rolls it back; in larger sets an election may. It is in memory there, not yet in the journal: a power failure in both datacenters within a moment " +
			"of each other can lose it.",
		Read:    "The primary answers: a read sees every write acknowledged before. A write that it sees and that is not acknowledged yet " + rollbackNote + ".",
		Failure: homeFailure + "While only one datacenter of a shard answers, its writes time out; they may have happened.",
	},
}, {
	Name:    "durable",
	Summary: "acknowledged by a majority, on disk; about two round trips",
	Write:   Write{Majority: true},
	Read:    Read{Concern: "majority", Mode: readpref.PrimaryMode},
	Timeout: wanTimeout,
	Goals:   Goals{Lossless: true},
	Promise: Promise{
		Write: "An acknowledged write is in the journals of a majority of the shard's votes: no failover rolls it back, and it survives any loss after which a majority is left.",
		Read: "The primary answers with what a majority has: never rolled back. During a failover an old primary that has not noticed may answer with what was current " +
			"before.",
		Failure: homeFailure + "Without a majority writes time out; they may have happened.",
	},
}, {
	Name:    "session",
	Summary: "read your own writes, from the nearest member",
	Write:   Write{Majority: true},
	Read:    Read{Concern: "majority", Mode: readpref.NearestMode, OwnDatacenter: true, Elsewhere: true},
	Causal:  true,
	Timeout: wanTimeout,
	Goals:   Goals{Lossless: true},
	Promise: Promise{
		Write: "As with durable.",
		Read: "Whoever carries the session or its token reads his own writes, and never an older state than he has read, from whatever member. What is read is never rolled " +
			"back. Others' newer writes may be missing.",
		Failure: homeFailure + "A member that has not caught up with the token makes the read wait, within a bound, and then fail.",
	},
}, {
	Name:     "snapshot",
	Summary:  "several reads at one moment, over all shards; transactions",
	Write:    Write{Majority: true},
	Read:     Read{Concern: "snapshot", Mode: readpref.NearestMode, OwnDatacenter: true, Elsewhere: true},
	Snapshot: true,
	Timeout:  wanTimeout,
	Goals:    Goals{Lossless: true},
	Promise: Promise{
		Write: "As with durable, in transactions: all of a transaction or nothing, over shards too. A snapshot session itself only reads.",
		Read: "All reads of one session show one moment that a majority has, on every shard; the server keeps it for 5 minutes. One exception, on servers of 6.0: a transaction " +
			"over several shards that is just being committed may show on one of them and not yet on another. Reads in a transaction do not have it, and ask the primaries: " +
			"use one where that matters, as for sums of what transactions move.",
		Failure: homeFailure + "Transactions that an election ends can be run again as a whole.",
	},
}, {
	Name:    "strict",
	Summary: "linearizable: one document, always the newest",
	Write:   Write{Majority: true},
	Read:    Read{Concern: "linearizable", Mode: readpref.PrimaryMode},
	Timeout: wanTimeout,
	Goals:   Goals{Lossless: true},
	Promise: Promise{
		Write: "As with durable.",
		Read: "A read of one document by a unique field sees every write acknowledged before it began, even during a failover: the primary asks a majority whether it still is " +
			"one. Reads of several documents promise no more than durable.",
		Failure: homeFailure + "Without a majority reads time out as well.",
	},
}}

// Named returns the named profiles, from the quickest to the strictest.
func Named() []Profile { return slices.Clone(named) }

// Names returns the names of the named profiles, in the order of [Named].
func Names() []string {
	names := make([]string, len(named))
	for i, p := range named {
		names[i] = p.Name
	}
	return names
}

// Lookup returns the named profile, or an ErrUnknownProfile whose hint is the nearest name.
func Lookup(name string) (Profile, error) {
	if i := slices.Index(Names(), name); i >= 0 {
		return named[i], nil
	}
	help := spelling.Hint(name, Names(), "the profiles are "+strings.Join(Names(), ", "))
	return Profile{}, hint.New(fmt.Errorf("%w %q", ErrUnknownProfile, name), help)
}
