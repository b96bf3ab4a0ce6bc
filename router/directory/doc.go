// Package directory finds the home of a record of which only the bare identifier is known, by asking MongoDB.
//
// It is a router.Directory over a sharded collection whose key is the field that decides on the zone, then the identifier. Home asks copies nearby, which may
// be behind; HomeNow asks for what a majority has, at one time for all shards, so that a record that is just changing its home is found in one of the
// two. It never writes, and asks for nothing but the one field.
package directory
