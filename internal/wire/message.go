package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// ErrMalformed is returned for bytes that are not a message of the protocol. The stream cannot be used any further.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// ErrOpCode is returned for a well-formed message of a kind that this package does not speak.
var ErrOpCode = errors.New("unsupported opcode")

// ErrChecksum is returned for an OP_MSG whose CRC-32C does not match its bytes.
var ErrChecksum = errors.New("message checksum does not match")

// OpQuery is the opcode in which drivers ask their first hello. The driver's own constant is marked deprecated.
const OpQuery wiremessage.OpCode = 2004

// MaxDepth is how deep documents may be nested, as in the server.
const MaxDepth = 200

// knownRequired are the flag bits below 16 that OP_MSG defines; a receiver must refuse the others.
const knownRequired = wiremessage.ChecksumPresent | wiremessage.MoreToCome

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Message is a decoded OP_MSG, OP_QUERY or OP_REPLY. Its documents alias the bytes that were decoded.
type Message struct {
	RequestID, ResponseTo int32
	OpCode                wiremessage.OpCode
	// Flags are OP_MSG's; exhaustAllowed is kept but nobody has to honour it.
	Flags wiremessage.MsgFlag
	// Collection is OP_QUERY's full collection name, such as "admin.$cmd".
	Collection string
	// Body is the command or the answer.
	Body bsoncore.Document
	// Sequences are the kind-1 sections in the order sent.
	Sequences []Sequence
}

// A Sequence is a kind-1 section: an array argument of the command, sent outside its body.
type Sequence struct {
	Name string
	Docs []bsoncore.Document
}

// MoreToCome reports that the sender waits for no answer.
func (m Message) MoreToCome() bool {
	return m.OpCode == wiremessage.OpMsg && m.Flags&wiremessage.MoreToCome != 0
}

// Decode takes one whole message, as Read returns it. Errors are ErrMalformed, ErrOpCode and ErrChecksum.
func Decode(raw []byte) (Message, error) {
	length, requestID, responseTo, opcode, rem, ok := wiremessage.ReadHeader(raw)
	if !ok || int(length) != len(raw) {
		return Message{}, malformed("header claims %d bytes of %d", length, len(raw))
	}
	m := Message{RequestID: requestID, ResponseTo: responseTo, OpCode: opcode}
	switch opcode {
	case wiremessage.OpMsg:
		return m, m.decodeMsg(raw, rem)
	case OpQuery:
		return m, m.decodeQuery(rem)
	case wiremessage.OpReply:
		return m, m.decodeReply(rem)
	default:
		return m, fmt.Errorf("%w: %s", ErrOpCode, opcode)
	}
}

func (m *Message) decodeMsg(raw, rem []byte) error {
	flags, rem, ok := wiremessage.ReadMsgFlags(rem)
	if !ok {
		return malformed("no flags")
	}
	m.Flags = flags
	if unknown := flags & 0xffff &^ knownRequired; unknown != 0 {
		return malformed("unknown flag bits %#x", uint32(unknown))
	}
	if flags&wiremessage.ChecksumPresent != 0 {
		if len(rem) < 4 {
			return malformed("no checksum")
		}
		end := len(raw) - 4
		if crc32.Checksum(raw[:end], castagnoli) != binary.LittleEndian.Uint32(raw[end:]) {
			return ErrChecksum
		}
		rem = rem[:len(rem)-4]
	}
	for len(rem) > 0 {
		var err error
		if rem, err = m.decodeSection(rem); err != nil {
			return err
		}
	}
	if m.Body == nil {
		return malformed("no section of kind 0")
	}
	return nil
}

func (m *Message) decodeSection(src []byte) (rem []byte, err error) {
	kind, src, _ := wiremessage.ReadMsgSectionType(src)
	switch kind {
	case wiremessage.SingleDocument:
		if m.Body != nil {
			return nil, malformed("second section of kind 0")
		}
		m.Body, rem, err = readDocument(src)
		return rem, err
	case wiremessage.DocumentSequence:
		seq, rem, err := cut("document sequence", src)
		if err != nil {
			return nil, err
		}
		name, docs, ok := bsoncore.ReadKey(seq[4:])
		if !ok {
			return nil, malformed("document sequence without a name")
		}
		s := Sequence{Name: name}
		for len(docs) > 0 {
			var d bsoncore.Document
			if d, docs, err = readDocument(docs); err != nil {
				return nil, err
			}
			s.Docs = append(s.Docs, d)
		}
		m.Sequences = append(m.Sequences, s)
		return rem, nil
	default:
		return nil, malformed("section of kind %d", kind)
	}
}

func (m *Message) decodeQuery(rem []byte) (err error) {
	const flags, skipAndReturn = 4, 8
	ok := len(rem) >= flags
	if ok {
		m.Collection, rem, ok = bsoncore.ReadKey(rem[flags:])
	}
	if !ok || len(rem) < skipAndReturn {
		return malformed("truncated OP_QUERY")
	}
	m.Body, _, err = readDocument(rem[skipAndReturn:])
	return err
}

func (m *Message) decodeReply(rem []byte) (err error) {
	const fixed = 4 + 8 + 4 + 4 // flags, cursor id, starting from, number returned
	if len(rem) < fixed {
		return malformed("truncated OP_REPLY")
	}
	m.Body, _, err = readDocument(rem[fixed:])
	return err
}
