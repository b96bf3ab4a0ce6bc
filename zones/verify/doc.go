// Package verify proves by documents where the documents of a cluster are. Two proofs are told apart:
//
//   - Placement: every document is on a shard of its zone. One that is not is misplaced if its shard owns it, and an orphan if another shard does:
//     a copy that a migration left behind, which the router does not show and a dump of the shard does.
//   - Residency: the members that physically hold a zone's documents, orphans included, are in datacenters that the zone allows.
//
// It connects to the members of the shards directly, primaries and secondaries, and counts what is there along the index of the shard key. Reads
// without a shard version, with read concern available, see orphans too: MongoDB documents that only reads through a router filter them.
//
// It is independent of what it judges. It imports neither package zones nor the routing code, knows no ranges of the catalogue and compares no values itself:
// the rule of geoshard.yaml becomes one $switch expression, which the servers evaluate (their $gte and $lt compare as their indexes sort).
// Who owns a document is the router's and the shard's own answer: explain with executionStats runs the query on every shard behind the shard's ownership
// filter, and reports how many documents each returned. A member's documents outside their zone, less those its shard returned, are orphans. For single
// documents (examples, samples), explain by the full shard key names the shard that would be asked. Both are documented, ask no client to know chunk
// bounds or hashes, and cost one question for each zone that has documents in the wrong place.
//
// A cluster that is being written to and balanced is counted member after member, not at one moment. Documents in their zone are never mistaken
// for others by that; of documents outside, those that move between two counts can change from misplaced to orphan.
package verify
