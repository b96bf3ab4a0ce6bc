// Package wire reads and writes the messages of MongoDB's wire protocol: OP_MSG in full (sections of kind 0 and 1,
// checksums, moreToCome) and OP_QUERY with OP_REPLY as far as a driver's first handshake needs them.
//
// What it decodes was sent by somebody else: every length is checked against the bytes that really arrived, memory grows with
// those bytes and never with a length that a header merely claims, and documents nested deeper than MaxDepth are refused.
// A decoded Message aliases the bytes it was decoded from; nothing is copied.
//
// It never opens a connection, never compresses (OP_COMPRESSED is refused: do not offer compressors in hello), and does not
// know what a command means.
//
//	raw, err := wire.Read(conn, buffer)   // one whole message
//	msg, err := wire.Decode(raw)
//	start, out := wire.AppendReplyStart(nil, msg)
//	out = wire.AppendMsgEnd(append(out, answer...), start)
package wire
