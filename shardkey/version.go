package shardkey

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Version is a shard version as commands carry it in the field shardVersion.
type Version struct {
	Epoch     bson.ObjectID  // e: identity of the collection; 6.0.5's shards do not compare it
	Timestamp bson.Timestamp // t: time the collection was sharded
	Placement bson.Timestamp // v: highest lastmod of the shard's chunks, (0,0) if it has none
}

// Unsharded is the version that goes along with commands on unsharded collections, next to databaseVersion.
var Unsharded = Version{}

// Ignored is the version that tells a shard to check nothing: for multi-writes sent to every target, which must not be done twice by halves
// because a chunk moved in between. Its timestamp is what the shard looks at.
var Ignored = Version{Timestamp: bson.Timestamp{T: 0xffffffff, I: 0xffffffff}}

// Append appends the version as a BSON document {e, t, v} to dst.
func (v Version) Append(dst []byte) []byte {
	index, dst := bsoncore.AppendDocumentStart(dst)
	dst = bsoncore.AppendObjectIDElement(dst, "e", v.Epoch)
	dst = bsoncore.AppendTimestampElement(dst, "t", v.Timestamp.T, v.Timestamp.I)
	dst = bsoncore.AppendTimestampElement(dst, "v", v.Placement.T, v.Placement.I)
	return endDocument(dst, index)
}

// endDocument closes the document that starts at index. AppendDocumentEnd fails only if index is out of range, which it cannot be here.
func endDocument(dst []byte, index int32) []byte {
	dst, err := bsoncore.AppendDocumentEnd(dst, index)
	if err != nil {
		panic("shardkey: close document: " + err.Error())
	}
	return dst
}
