package wire

import (
	"bytes"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"
)

// FuzzDecode feeds hostile bytes: no crash, memory bounded by the input, and what decodes can be walked and encoded again.
func FuzzDecode(f *testing.F) {
	body := doc(f, bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: bson.D{{Key: "a", Value: bson.A{1, bson.D{}}}}}})
	f.Add(message(f, 0, body))
	f.Add(withChecksum(message(f, wiremessage.MoreToCome, body, Sequence{"documents", []bsoncore.Document{body, body}})))
	f.Add(message(f, 0, nested(MaxDepth)))
	f.Add(message(f, 0, nested(3000)))
	f.Add(reply(Message{OpCode: OpQuery}, body))
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := Read(bytes.NewReader(data), nil)
		if cap(raw) > 4*len(data)+2*growStep {
			t.Fatalf("capacity %d for %d bytes", cap(raw), len(data))
		}
		if err != nil {
			return
		}
		m, err := Decode(raw)
		if err != nil {
			return
		}
		docs := append([]bsoncore.Document{m.Body}, flatten(m.Sequences)...)
		for _, d := range docs {
			if err := d.Validate(); err != nil {
				t.Fatalf("decoded a document that bsoncore refuses: %v", err)
			}
		}
		if m.OpCode != wiremessage.OpMsg {
			return
		}
		again, err := Decode(message(t, m.Flags, m.Body, m.Sequences...))
		if err != nil || !bytes.Equal(again.Body, m.Body) || len(again.Sequences) != len(m.Sequences) {
			t.Fatalf("encoded again: %+v, %v; want %+v", again, err, m)
		}
	})
}

func flatten(seqs []Sequence) (docs []bsoncore.Document) {
	for _, s := range seqs {
		docs = append(docs, s.Docs...)
	}
	return docs
}
