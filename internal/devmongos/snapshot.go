package devmongos

import "go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

// wantsSnapshot tells that a read is at a time of the past, when a chunk may have had another owner: the core knows its history.
func wantsSnapshot(body bsoncore.Document) bool {
	return stringField(documentField(body, "readConcern"), "level") == "snapshot"
}

// atOneTime fixes the time of a snapshot read that leaves it open. The core would take its own, which may be from before the last
// change of the collection's chunks, and even from before the client's last write.
func (r *router) atOneTime(body bsoncore.Document) bsoncore.Document {
	concern := documentField(body, "readConcern")
	if stringField(concern, "level") != "snapshot" || field(concern, "atClusterTime").Type != 0 {
		return body
	}
	at := max(r.clock.now(), timeOf(field(concern, "afterClusterTime")))
	return edit(nil, body, func(name string) bool { return name == "readConcern" }, func(dst []byte) []byte {
		return appendSnapshot(dst, at)
	})
}

// appendSnapshot appends the read concern of a snapshot at a time.
func appendSnapshot(dst []byte, at uint64) []byte {
	start, dst := bsoncore.AppendDocumentElementStart(dst, "readConcern")
	dst = bsoncore.AppendStringElement(dst, "level", "snapshot")
	dst = bsoncore.AppendTimestampElement(dst, "atClusterTime", uint32(at>>32), uint32(at))
	return endDocument(dst, start)
}

// withSnapshotTime adds the time of a snapshot read to an answer that has no cursor to carry it.
func withSnapshotTime(at bsoncore.Value) func(bsoncore.Document, error) (bsoncore.Document, error) {
	return func(doc bsoncore.Document, err error) (bsoncore.Document, error) {
		if err != nil || at.Type == 0 {
			return doc, err
		}
		return edit(nil, doc, func(string) bool { return false }, func(dst []byte) []byte {
			return bsoncore.AppendValueElement(dst, "atClusterTime", at)
		}), nil
	}
}
