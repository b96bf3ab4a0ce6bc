// Package rehome moves documents to another home: it gives the field of their shard key that decides on the zone another value, so that the shard of
// that zone owns them.
//
// Documents go in batches, in the order of their _id, and each batch is one transaction: a document is in one home or in the other, never in both and
// never in none. Documents of related namespaces, which the topology declares, go in the transaction of the document that they belong to. A statement names the
// document by its _id and its whole shard key and changes one field, so what others write meanwhile is kept: if they collide, the server ends one of the
// transactions and the driver's WithTransaction begins it anew; a batch that collides again and again is halved.
//
// Nothing is remembered between runs, because nothing has to be: documents that are at home already are skipped, so a run that was killed is finished by
// running it again. After each batch its documents are counted by majority reads, and at the end nothing may be left behind.
//
// A document that others insert while a run is under way, behind its place in the order of _ids, is found by the last pass or counted as left behind.
package rehome
