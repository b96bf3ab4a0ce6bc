// Package shardkey holds MongoDB's rules of shard keys: how their values are ordered, where ranges of them begin and end, and which shards they lead to.
//
// It has the server's order of BSON values (Compare), the successor of a value, bounds in one normal form (ReadBound), the hash of hashed shard keys, the
// extraction of a shard key from documents and filters (Pattern), and the immutable routing table of one collection (Table), built from the documents of
// config.collections and config.chunks. It writes keys for people (Format), for mongosh (FormatShell) and for files (ExtJSON). A shard does not check that
// an inserted document is its own, so all of this has to agree with the server to the last bit.
//
// It never talks to a network, reads a clock or keeps a cache: values in, values out. A Table never changes and
// may be read by any number of goroutines.
//
//	table, err := shardkey.NewTable(collection, chunks) // raw documents of the config server
//	key, err := table.Pattern().KeyOf(document)
//	shard := table.ShardFor(key)
//	version := table.Version(shard) // goes along as shardVersion
package shardkey
