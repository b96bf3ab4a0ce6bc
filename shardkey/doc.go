// Package shardkey decides which shards a document, a filter or a range of shard keys belongs to.
//
// It holds MongoDB's own order of BSON values, the hash of hashed shard keys, the extraction of a shard key
// from documents and filters, and the immutable routing table of one collection, built from the documents of
// config.collections and config.chunks. A shard does not check that an inserted document is its own, so all of
// this has to agree with the server to the last bit.
//
// It never talks to a network, reads a clock or keeps a cache: values in, values out. A Table never changes and
// may be read by any number of goroutines.
//
//	table, err := shardkey.NewTable(collection, chunks) // raw documents of the config server
//	key, err := table.Pattern().KeyOf(document)
//	shard := table.ShardFor(key)
//	version := table.Version(shard) // goes along as shardVersion
package shardkey
