package serverversion

import "slices"

// A Rule is a difference between MongoDB's versions that geoshard goes by. The rules below are the
// only place that says which versions it is about.
type Rule struct {
	// Name is what findings and docs/versions.md call it.
	Name string
	// In are the versions that it is about.
	In []Span
	// Server says what these versions do, Program what geoshard does about it.
	Server, Program string
	// Source is a page of MongoDB's manual, a ticket or a file of the server's source.
	Source string
}

// A Span is the versions from From on and before Before. Where Before is zero the span has no end.
type Span struct{ From, Before Version }

// String is "before 6.0.3", "8.0.0 and later" or "6.1.0 to before 7.0.5".
func (s Span) String() string {
	switch {
	case s.Before == Version{}:
		return s.From.String() + " and later"
	case s.From == Version{}:
		return "before " + s.Before.String()
	default:
		return s.From.String() + " to before " + s.Before.String()
	}
}

// Holds reports whether the rule is about a version.
func (r Rule) Holds(v Version) bool {
	return slices.ContainsFunc(r.In, func(s Span) bool {
		return !v.Less(s.From) && (s.Before == Version{} || v.Less(s.Before))
	})
}

func from(v Version) []Span   { return []Span{{From: v}} }
func before(v Version) []Span { return []Span{{Before: v}} }

// The rules.
var (
	TooOld = Rule{"too-old", before(Oldest),
		"Zones are enforced by other rules, and `shardCollection` does not enable sharding by itself.",
		"`plan`, `cluster up` and `verify` say so, and `plan` as an error.",
		"manual: release-notes/6.0"}
	NoDistribution = Rule{"no-distribution", before(Version{6, 0, 3}),
		"There is no stage `$shardedDataDistribution` and no action of that name.",
		"`roles` leaves the action out, and `plan` does not ask for it. `status` says that orphans are " +
			"not counted; `apply --wait=moved` goes on without them, " +
			"and `--wait=clean` ends with that reason once all is moved.",
		"manual: reference/operator/aggregation/shardedDataDistribution"}
	BalancerCrash = Rule{"balancer-crash", []Span{{Oldest, Version{6, 0, 12}}, {Version{6, 1, 0}, Version{7, 0, 5}}},
		"With four or more shards and the balancer on, the primary of the config servers may crash while " +
			"zones are enforced or a shard is drained.",
		"`plan` warns.",
		"SERVER-82325; the code was replaced in 7.0.5 by SERVER-82365"}
	HiddenValidators = Rule{"hidden-validators", []Span{{Version{}, Version{6, 0, 27}}, {Version{6, 1, 0}, Version{7, 2, 0}}},
		"`collMod` leaves out a database's primary shard that owns no chunks of the collection, and " +
			"`listCollections` shows what that shard has. 6.0.5 does and 6.0.27 does not, as tried; of patch " +
			"releases between them, and of 7.0, it is not known.",
		"`plan` says that the validator is out of reach, and names `movePrimary`.",
		"SERVER-71819"}
	WeakEnableSharding = Rule{"weak-enable-sharding",
		[]Span{{Version{}, Version{8, 0, 24}}, {Version{8, 1, 0}, Version{8, 3, 3}}},
		"The built-in role `enableSharding` cannot run `updateZoneKeyRange`.",
		"`roles` grants the action `enableSharding` on the cluster, on every version.",
		"SERVER-122697"}
	EOFPlan = Rule{"eof-plan", from(Version{7, 3, 0}),
		"`explain` of a query in a database that does not exist answers with a plan of stage `EOF` and no" +
			" shards; before it was error 26.",
		"`verify` and `explain` read either as: there is no such collection.",
		"SERVER-75857; SERVER-123329 wants the same for collections"}
	ConfigShard = Rule{"config-shard", from(Version{8, 0, 0}),
		"The config servers may be a shard as well. Its name is `config`.",
		"A topology may declare it, and `plan` and `verify` warn that catalogue and documents fail " +
			"together. Clusters that geoshard starts have none, so `cluster up` refuses the name.",
		"manual: core/config-shard"}
	DirectReads = Rule{"direct-reads", from(Version{8, 0, 0}),
		"In a cluster of two or more shards with access control, who reads documents from a shard's " +
			"members needs the role `directShardOperations` there. The role exists since 6.0; before 8.0 " +
			"nothing asks for it.",
		"`verify` warns before it counts, and names the role where a member refuses. `verify " +
			"--via-router` does without.",
		"manual: reference/supported-shard-direct-commands; DOCS-16699, TOOLS-3091"}
	UnshardedListed = Rule{"unsharded-listed", from(Version{8, 0, 0}),
		"`config.collections` has collections that are not sharded too, with `unsplittable: true`, once " +
			"`moveCollection` or `unshardCollection` were used.",
		"`plan`, `verify` and `explain` take them for what they are: not sharded.",
		"manual: reference/command/moveCollection, reference/command/unshardCollection"}
	MoveCollection = Rule{"move-collection", from(Version{8, 0, 0}),
		"`moveCollection` moves a collection that is not sharded to another shard, and lets reads and writes go on.",
		"Where a shard is drained, `plan`, `status` and `verify` name it for each such collection; before, " +
			"`movePrimary` for the database.",
		"manual: reference/command/moveCollection"}
	RangeOfMoved = Rule{"range-of-moved", []Span{{Version{8, 0, 0}, Version{8, 2, 0}}},
		"`updateZoneKeyRange` on a collection that `moveCollection` moved is error 61, as if the bounds did not fit.",
		"`apply` says that the collection has to be sharded first.",
		"src/mongo/db/s/config/sharding_catalog_manager_zone_operations.cpp; 8.2 filters `unsplittable`"}
	BalancingByCommand = Rule{"balancing-by-command", from(Version{8, 0, 0}),
		"`configureCollectionBalancing` has `enableBalancing`, in 8.1 and late 8.0.x. Atlas may not let " +
			"users write `config.collections`.",
		"`apply` holds the balancing of a collection as `sh.disableBalancing` does, and by the command " +
			"where that write is refused.",
		"SERVER-78849; manual: reference/command/configureCollectionBalancing"}
	WrittenBeforeApplied = Rule{"written-before-applied", from(Version{8, 0, 0}),
		"A majority write is acknowledged when it is in the oplogs of a majority, before it is applied there.",
		"`verify` waits by what each member has applied (`replSetGetStatus`), not by its `hello`. Causal " +
			"tokens hold as before. Forecasts and measured times in these pages are of 6.0.5.",
		"manual: release-notes/8.0"}
	KilledReads = Rule{"killed-reads", from(Version{8, 2, 0}),
		"A read on a secondary that began before a migration is killed (175) when the migration's orphans" +
			" are deleted.",
		"`verify` counts that member again, once. The demo shop answers 503, to be tried again.",
		"manual: core/long-running-secondary-reads"}
	OrphansKeptLonger = Rule{"orphans-kept-longer", from(Version{8, 2, 0}),
		"Moved documents stay on their old shard for an hour (`orphanCleanupDelaySecs` 3600); it was a " +
			"quarter of an hour.",
		"`apply --wait=clean` gives up when no orphan has gone for 80 minutes, on every version.",
		"manual: release-notes/8.2-compatibility"}
	AddShardCoordinator = Rule{"add-shard-coordinator", from(Version{8, 2, 0}),
		"`addShard` runs as a coordinator, and fails in more passing ways (46, 117, 134, 202, 262, 414, 9001).",
		"Clusters that geoshard starts or grows repeat it.",
		"src/mongo/db/topology/add_shard_coordinator.cpp, configsvr_add_shard_command.cpp"}
	ViewlessSeries = Rule{"viewless-series", from(Version{8, 3, 0}),
		"Time series collections stand in `config.collections` by their own name, with `timeseriesFields`.",
		"`plan`, `verify` and `explain` do not take them for sharded by a zone key.",
		"src/mongo/db/global_catalog/ddl/create_collection_coordinator.cpp"}
	Advisory131805 = Rule{"advisory-131805", []Span{{Version{8, 3, 0}, Version{8, 3, 13}}},
		"The manual has a critical advisory for 8.3.0 to 8.3.12.",
		"`plan`, `cluster up` and `verify` warn.",
		"SERVER-131805"}
	OldModes = Rule{"old-modes", before(Version{6, 1, 0}),
		"The balancer has a third mode, `autoSplitOnly`, in which it moves nothing. The settings of a " +
			"cluster that was upgraded may still have it.",
		"The balancer counts as stopped in the modes `off` and `autoSplitOnly`, and as running in every other.",
		"src/mongo/s/balancer_configuration.cpp; manual: reference/command/balancerStatus"}
)

// Wire80 is the wire version of MongoDB 8.0, by which a member's hello tells whether
// WrittenBeforeApplied holds for it (src/mongo/db/wire_version.h).
const Wire80 = 25

// Rules are all of them, the oldest versions first: docs/versions.md has them in this order.
var Rules = []Rule{
	TooOld, NoDistribution, OldModes, BalancerCrash, HiddenValidators, WeakEnableSharding, EOFPlan, ConfigShard, DirectReads,
	UnshardedListed, MoveCollection, RangeOfMoved, BalancingByCommand, WrittenBeforeApplied, KilledReads, OrphansKeptLonger,
	AddShardCoordinator, ViewlessSeries, Advisory131805,
}
