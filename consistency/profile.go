package consistency

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/tag"

	"github.com/geoshard/geoshard/topology"
)

// A Profile is how operations are done: what writes wait for, where reads go and what they may return. The zero value is the server's and
// the driver's defaults. Fill one and hold it against a topology with [Check].
type Profile struct {
	Name    string
	Summary string
	Write   Write
	Read    Read
	// Causal makes the session causally consistent: reads see what the session (or a token that it was advanced by) has seen.
	Causal bool
	// Snapshot makes the session one of snapshot reads, all at one time. Such a session cannot write; transactions are another way.
	Snapshot bool
	// NoRetryWrites turns off the driver's one retry after a network error or an election.
	NoRetryWrites bool
	// Timeout bounds one operation with its retries. 0 = none: then an operation that nobody can answer waits for ever.
	Timeout time.Duration
	// Heartbeat is how often the driver asks members how they are. 0 = the driver's 10 s.
	Heartbeat time.Duration
	// Goals are what the author of the profile expects of it. Check says when the settings cannot keep them.
	Goals Goals
	// Promise is the profile in plain words.
	Promise Promise
}

// A Write says how far a write has gone when it is acknowledged. At most one of Members, Majority and Mode is set; none of them means the
// cluster's default, which is majority since MongoDB 5.0.
type Write struct {
	// Members is w as a number: so many members have it.
	Members  int
	Majority bool
	Mode     Mode
	// Journal asks that those members have it on disk. Majority asks for that anyway, unless the set was configured otherwise.
	Journal bool
}

// A Mode is a custom write concern of the replica sets' configuration (settings.getLastErrorModes).
type Mode struct {
	Name string
	// Datacenters is how many distinct datacenters have to acknowledge: the number in {Name: {dc: 2}}.
	Datacenters int
}

// MultiDatacenter is the mode that geoshard's clusters have: acknowledged by members of two distinct datacenters.
var MultiDatacenter = Mode{Name: "multiDatacenter", Datacenters: 2}

// A Read says which members may answer, and with what.
type Read struct {
	// Concern is local, majority, linearizable, snapshot or available; empty = the cluster's default, local.
	Concern string
	// Mode says who may answer; 0 = the primary.
	Mode readpref.Mode
	// OwnDatacenter asks members of the caller's datacenter (tag dc) first.
	OwnDatacenter bool
	// Tags are further sets that a member may carry instead. A driver that is connected to a replica set tries them in their order. A query router joins all sets, the own
	// datacenter's and Elsewhere too, and reads from any member within 15 ms of the nearest; [Check] warns where that is another datacenter.
	Tags []map[string]string
	// Elsewhere lets any other member answer where none carries the tags.
	Elsewhere bool
	// MaxStaleness leaves out members that the driver estimates to be further behind. 0 = no bound; else at least 90 s.
	MaxStaleness time.Duration
	// Bound is our own, tighter bound: reads wait until the member has everything that is older. See [Witness.Freshen].
	Bound time.Duration
}

// Goals are expectations that settings can contradict.
type Goals struct {
	// LocalWrites expects writes of local records to take no longer than within a datacenter.
	LocalWrites bool
	// Lossless expects that no acknowledged write is lost with a datacenter.
	Lossless bool
}

// A Promise says in plain words what a profile means for those who use it.
type Promise struct {
	// Write says what an acknowledged write survives, Read what a read may return.
	Write string `json:"write"`
	Read  string `json:"read"`
	// Failure says what happens to operations while a primary or a datacenter is away.
	Failure string `json:"failure"`
}

// ClientOptions are the options of a client that uses the profile for everything, from the datacenter dc. Use them with ApplyURI.
func (p Profile) ClientOptions(dc topology.DatacenterID) *options.ClientOptions {
	o := options.Client().SetRetryWrites(!p.NoRetryWrites).SetReadPreference(p.readPreference(dc)).SetWriteConcern(p.writeConcern()).SetReadConcern(p.readConcern())
	if p.Timeout > 0 {
		o.SetTimeout(p.Timeout)
	}
	if p.Heartbeat > 0 {
		o.SetHeartbeatInterval(p.Heartbeat)
	}
	return o
}

// CollectionOptions are the options of a collection whose operations come from the datacenter dc. The driver has the timeout, retries and the
// heartbeat on clients alone: give operations a context with a deadline, or the client [Profile.ClientOptions].
func (p Profile) CollectionOptions(dc topology.DatacenterID) *options.CollectionOptionsBuilder {
	return options.Collection().SetReadPreference(p.readPreference(dc)).SetWriteConcern(p.writeConcern()).SetReadConcern(p.readConcern())
}

// SessionOptions are the options of a session, with those of its transactions.
func (p Profile) SessionOptions() *options.SessionOptionsBuilder {
	o := options.Session().SetDefaultTransactionOptions(p.TransactionOptions())
	if p.Snapshot {
		return o.SetSnapshot(true) // excludes causal consistency, even as "off"
	}
	return o.SetCausalConsistency(p.Causal)
}

// TransactionOptions are the options of a transaction. A transaction reads on primaries and knows no linearizable reads and no available ones.
func (p Profile) TransactionOptions() *options.TransactionOptionsBuilder {
	concern := p.readConcern()
	switch {
	case p.Snapshot:
		concern = readconcern.Snapshot()
	case p.Read.Concern == "linearizable":
		concern = readconcern.Majority()
	case p.Read.Concern == "available":
		concern = readconcern.Local()
	}
	return options.Transaction().SetReadPreference(readpref.Primary()).SetWriteConcern(p.writeConcern()).SetReadConcern(concern)
}

// writeConcern is nil for the cluster's default.
func (p Profile) writeConcern() *writeconcern.WriteConcern {
	var w writeconcern.WriteConcern
	switch {
	case p.Write.Majority:
		w.W = writeconcern.WCMajority
	case p.Write.Mode.Name != "":
		w.W = p.Write.Mode.Name
	case p.Write.Members > 0:
		w.W = p.Write.Members
	case !p.Write.Journal:
		return nil
	}
	if p.Write.Journal {
		w.Journal = &p.Write.Journal
	}
	return &w
}

// readConcern is nil for the cluster's default, and for snapshot sessions, which set their own.
func (p Profile) readConcern() *readconcern.ReadConcern {
	if p.Read.Concern == "" || p.Snapshot {
		return nil
	}
	return &readconcern.ReadConcern{Level: p.Read.Concern}
}

// readPreference leaves out what the driver refuses together with the mode primary; Check reports it.
func (p Profile) readPreference(dc topology.DatacenterID) *readpref.ReadPref {
	mode := p.mode()
	if mode == readpref.PrimaryMode {
		return readpref.Primary()
	}
	with := []readpref.Option{readpref.WithTagSets(p.tagSets(dc)...)}
	if mode == readpref.NearestMode {
		// Routers before 8.1 hedge these reads unless they are told not to: a read that is slow is sent to a second member as well, over a link.
		//lint:ignore SA1019 it is deprecated together with hedging itself
		with = append(with, readpref.WithHedgeEnabled(false))
	}
	if p.Read.MaxStaleness > 0 {
		with = append(with, readpref.WithMaxStaleness(p.Read.MaxStaleness))
	}
	preference, _ := readpref.New(mode, with...) // it refuses options of the mode primary alone
	return preference
}

func (p Profile) mode() readpref.Mode { return cmp.Or(p.Read.Mode, readpref.PrimaryMode) }

// tagSets are the sets for clients of a datacenter; the empty one, which any member carries, comes last.
func (p Profile) tagSets(dc topology.DatacenterID) []tag.Set {
	var sets []tag.Set
	if p.Read.OwnDatacenter {
		sets = append(sets, ownTags(dc))
	}
	for _, wanted := range p.Read.Tags {
		sets = append(sets, tagSet(wanted))
	}
	if len(sets) > 0 && p.Read.Elsewhere {
		sets = append(sets, tag.Set{})
	}
	return sets
}

// ownTags are those of the members in a datacenter.
func ownTags(dc topology.DatacenterID) tag.Set {
	return tag.Set{{Name: datacenterTag, Value: string(dc)}}
}

func tagSet(wanted map[string]string) (set tag.Set) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		set = append(set, tag.Tag{Name: name, Value: wanted[name]})
	}
	return set
}

// datacenterTag is the tag that members of geoshard's clusters carry.
const datacenterTag = "dc"
