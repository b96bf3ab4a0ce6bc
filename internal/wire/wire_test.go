package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

func doc(t testing.TB, v any) bsoncore.Document {
	t.Helper()
	raw, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func message(t testing.TB, flags wiremessage.MsgFlag, body bsoncore.Document, seqs ...Sequence) []byte {
	t.Helper()
	start, out := AppendMsgStart(nil, 7, 0, flags)
	out = append(out, body...)
	for _, s := range seqs {
		out = AppendSequence(out, s.Name, s.Docs)
	}
	return AppendMsgEnd(out, start)
}

// reply is the whole answer to m.
func reply(m Message, answer bsoncore.Document) []byte {
	start, dst := AppendReplyStart(nil, m)
	return AppendMsgEnd(append(dst, answer...), start)
}

func withChecksum(raw []byte) []byte {
	raw = bytes.Clone(raw)
	binary.LittleEndian.PutUint32(raw[16:], binary.LittleEndian.Uint32(raw[16:])|uint32(wiremessage.ChecksumPresent))
	binary.LittleEndian.PutUint32(raw, uint32(len(raw)+4))
	return binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
}

func TestMessageRoundTrip(t *testing.T) {
	body := doc(t, bson.D{{Key: "insert", Value: "c"}, {Key: "$db", Value: "d"}})
	docs := []bsoncore.Document{doc(t, bson.D{{Key: "_id", Value: 1}}), doc(t, bson.D{{Key: "_id", Value: bson.D{{Key: "a", Value: bson.A{1, "x"}}}}})}
	plain := message(t, wiremessage.MoreToCome|wiremessage.ExhaustAllowed, body, Sequence{"documents", docs})
	for name, raw := range map[string][]byte{"plain": plain, "checksum": withChecksum(plain)} {
		read, err := Read(bytes.NewReader(raw), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m, err := Decode(read)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(m.Body, body) || !m.MoreToCome() || m.RequestID != 7 || len(m.Sequences) != 1 {
			t.Errorf("%s: got %+v", name, m)
		}
		if s := m.Sequences[0]; s.Name != "documents" || len(s.Docs) != 2 || !bytes.Equal(s.Docs[1], docs[1]) {
			t.Errorf("%s: got sequence %+v", name, s)
		}
	}
	bad := withChecksum(plain)
	bad[30] ^= 1
	if _, err := Decode(bad); !errors.Is(err, ErrChecksum) {
		t.Errorf("damaged message: got %v, want ErrChecksum", err)
	}
}

// The first handshake comes as OP_QUERY and is answered as OP_REPLY.
func TestHandshakeRoundTrip(t *testing.T) {
	_, raw := wiremessage.AppendHeaderStart(nil, 9, 0, OpQuery)
	raw = append(raw, "\x00\x00\x00\x00admin.$cmd\x00\x00\x00\x00\x00\xff\xff\xff\xff"...)
	raw = AppendMsgEnd(append(raw, doc(t, bson.D{{Key: "isMaster", Value: 1}})...), 0)
	q, err := Decode(raw)
	if err != nil || q.Collection != "admin.$cmd" || q.MoreToCome() {
		t.Fatalf("got %+v, %v", q, err)
	}
	r, err := Decode(reply(q, doc(t, bson.D{{Key: "ok", Value: 1.0}})))
	if err != nil || r.ResponseTo != 9 || r.OpCode != wiremessage.OpReply || r.Body.Lookup("ok").AsFloat64() != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
}

func nested(depth int) bsoncore.Document {
	d := bsoncore.BuildDocument(nil)
	for range depth - 1 {
		d = bsoncore.BuildDocument(nil, bsoncore.AppendDocumentElement(nil, "a", d))
	}
	return d
}

func TestDecodeRefuses(t *testing.T) {
	body := doc(t, bson.D{{Key: "ping", Value: 1}, {Key: "s", Value: "text"}})
	good := message(t, 0, body, Sequence{"documents", []bsoncore.Document{body}})
	edit := func(at int, v uint32) []byte {
		raw := bytes.Clone(good)
		binary.LittleEndian.PutUint32(raw[at:], v)
		return raw
	}
	twice := message(t, 0, append(append(bytes.Clone(body), 0), body...))
	onlySequence := AppendMsgEnd(AppendSequence(good[:20:20], "documents", nil), 0)
	cases := map[string][]byte{
		"length of the header":       edit(0, 4000),
		"unknown flag":               edit(16, 4),
		"hostile document length":    edit(21, 0x7fffffff),
		"negative document length":   edit(21, 0xffffffff),
		"hostile sequence length":    edit(21+len(body)+1, 0x7fffffff),
		"zero sequence length":       edit(21+len(body)+1, 0),
		"two bodies":                 twice,
		"no body":                    onlySequence,
		"nested too deep":            message(t, 0, nested(MaxDepth+1)),
		"nested far too deep":        message(t, 0, nested(2000)),
		"checksum flag, no checksum": AppendMsgEnd(binary.LittleEndian.AppendUint32(bytes.Clone(good[:16]), 1), 0),
	}
	for name, raw := range cases {
		if m, err := Decode(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v; want ErrMalformed", name, m, err)
		}
	}
	if _, err := Decode(message(t, 0, nested(MaxDepth))); err != nil {
		t.Errorf("nested as deep as allowed: %v", err)
	}
	for cut := range len(good) {
		if _, err := Decode(AppendMsgEnd(bytes.Clone(good[:max(cut, 4)]), 0)); err == nil && cut != 21+len(body) {
			t.Errorf("cut after %d of %d bytes: decoded", cut, len(good))
		}
	}
	if _, err := Decode(edit(12, uint32(wiremessage.OpCompressed))); !errors.Is(err, ErrOpCode) {
		t.Errorf("compressed: got %v, want ErrOpCode", err)
	}
}

// A header may claim 48 MB; memory follows what arrives.
func TestReadAllocatesOnlyWhatArrives(t *testing.T) {
	head := make([]byte, HeaderSize)
	binary.LittleEndian.PutUint32(head, MaxMessageSize)
	got, err := Read(bytes.NewReader(head), nil)
	if !errors.Is(err, io.ErrUnexpectedEOF) || cap(got) > 2*growStep {
		t.Errorf("got capacity %d, %v; want at most %d and io.ErrUnexpectedEOF", cap(got), err, 2*growStep)
	}
	for _, length := range []uint32{0, 15, MaxMessageSize + 1, 0x80000000, 0xffffffff} {
		binary.LittleEndian.PutUint32(head, length)
		if _, err := Read(bytes.NewReader(head), nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("length %d: got %v, want ErrMalformed", length, err)
		}
	}
	big := message(t, 0, bsoncore.BuildDocument(nil, bsoncore.AppendBinaryElement(nil, "b", 0, make([]byte, MaxMessageSize-100))))
	if got, err := Read(bytes.NewReader(big), nil); err != nil || !bytes.Equal(got, big) {
		t.Errorf("largest message: %d bytes, %v", len(got), err)
	}
}
