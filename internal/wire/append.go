package wire

import (
	"encoding/binary"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// AppendMsgStart starts an OP_MSG at the end of dst, up to where the bytes of its body are to be appended by the caller: so a
// command is edited straight into the buffer that is sent. Start is to be given to AppendMsgEnd.
func AppendMsgStart(dst []byte, requestID, responseTo int32, flags wiremessage.MsgFlag) (start int, msg []byte) {
	start = len(dst)
	_, dst = wiremessage.AppendHeaderStart(dst, requestID, responseTo, wiremessage.OpMsg)
	dst = wiremessage.AppendMsgFlags(dst, flags&^wiremessage.ChecksumPresent)
	return start, wiremessage.AppendMsgSectionType(dst, wiremessage.SingleDocument)
}

// AppendSequence adds a kind-1 section after the body.
func AppendSequence(dst []byte, name string, docs []bsoncore.Document) []byte {
	dst = wiremessage.AppendMsgSectionType(dst, wiremessage.DocumentSequence)
	start, dst := bsoncore.ReserveLength(dst)
	dst = append(append(dst, name...), 0)
	for _, d := range docs {
		dst = append(dst, d...)
	}
	return bsoncore.UpdateLength(dst, start, int32(len(dst))-start)
}

// AppendMsgEnd writes the length of the message that began at start.
func AppendMsgEnd(dst []byte, start int) []byte {
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// AppendReplyStart starts the answer to m in the dialect in which m asked: OP_REPLY for OP_QUERY, OP_MSG for all else. The caller
// appends the bytes of one document and then calls AppendMsgEnd.
func AppendReplyStart(dst []byte, m Message) (start int, msg []byte) {
	id := wiremessage.NextRequestID()
	if m.OpCode != OpQuery {
		return AppendMsgStart(dst, id, m.RequestID, 0)
	}
	start = len(dst)
	_, dst = wiremessage.AppendHeaderStart(dst, id, m.RequestID, wiremessage.OpReply)
	dst = wiremessage.AppendReplyFlags(dst, wiremessage.AwaitCapable)
	dst = wiremessage.AppendReplyCursorID(dst, 0)
	dst = wiremessage.AppendReplyStartingFrom(dst, 0)
	return start, wiremessage.AppendReplyNumberReturned(dst, 1)
}
