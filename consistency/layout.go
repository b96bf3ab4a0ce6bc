package consistency

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

// Layout 1 of a token, numbers big-endian:
//
//	1 byte    layout: 1
//	1 byte    flags: bit 0 = a server's signature follows the times
//	1 + n     length and bytes of the key's identifier, 1 to 8
//	1 + n     length and bytes of the home datacenter's name, 0 to 32
//	8         operation time: seconds, increment
//	8         cluster time
//	20 + 8    the server's hash and its key's number, if flagged
//	6         issue time, in milliseconds
//	16        HMAC-SHA256 over all before, cut to 16 bytes
//
// At most 110 bytes, 147 characters.
const (
	// tokenPurpose is what keys sign tokens for.
	tokenPurpose = "geoshard causal token"

	layoutVersion    = 1
	flagSigned       = 1
	maxHome          = 32
	maxIssued        = 1<<48 - 1
	timesSize        = 8 + 8
	issuedSize       = 6
	leastPayloadSize = 2 + 1 + 1 + 1 + timesSize + issuedSize
)

// tokenText has no padding, and refuses bits beyond the last byte.
var tokenText = base64.RawURLEncoding.Strict()

func (t Token) encode(keyID string) []byte {
	b := append(make([]byte, 0, MaxTokenSize), layoutVersion, 0, byte(len(keyID)))
	b = append(append(b, keyID...), byte(len(t.Home)))
	b = append(b, t.Home...)
	b, _ = binary.Append(b, binary.BigEndian, []bson.Timestamp{t.OperationTime, t.ClusterTime}) // of a fixed size: no error
	if t.Signature != (Signature{}) {
		b[1] = flagSigned
		b, _ = binary.Append(b, binary.BigEndian, t.Signature)
	}
	issued := binary.BigEndian.AppendUint64(nil, uint64(t.Issued.UnixMilli()))
	return append(b, issued[8-issuedSize:]...)
}

// unpack returns the parts of a text that is exactly what encoding them gives. The decoder alone would pass over line breaks. The key's identifier is the only
// part of the payload that is read before the signature has been checked.
func unpack(text string) (keyID string, payload, sum []byte, err error) {
	if len(text) > MaxTokenSize {
		return "", nil, nil, malformed("%d characters, more than %d", len(text), MaxTokenSize)
	}
	data, err := tokenText.DecodeString(text)
	end := len(data) - signing.Size
	switch {
	case err != nil || tokenText.EncodeToString(data) != text:
		err = malformed("not base64url")
	case end < leastPayloadSize:
		err = malformed("%d bytes", len(data))
	case data[0] != layoutVersion:
		err = malformed("layout %d, and this version reads %d", data[0], layoutVersion)
	case data[2] < 1 || data[2] > signing.MaxID || 3+int(data[2]) > end:
		err = malformed("a key identifier of %d bytes", data[2])
	default:
		return string(data[3 : 3+data[2]]), data[:end], data[end:], nil
	}
	return "", nil, nil, err
}

// decode reads a payload whose signature is right, and yet checks it whole: an older or newer build may have signed it.
func decode(payload []byte) (Token, error) {
	r := reader{rest: payload[1:]}
	flags := r.next(1)[0]
	signed := flags&flagSigned != 0
	r.next(int(r.next(1)[0])) // the key's identifier
	t := Token{Home: topology.DatacenterID(r.next(int(r.next(1)[0])))}
	r.numbers(&t.OperationTime)
	r.numbers(&t.ClusterTime)
	if signed {
		r.numbers(&t.Signature)
	}
	issued := append([]byte{0, 0}, r.next(issuedSize)...)
	t.Issued = time.UnixMilli(int64(binary.BigEndian.Uint64(issued)))
	if r.short || len(r.rest) > 0 || flags&^flagSigned != 0 || signed && t.Signature == (Signature{}) {
		return Token{}, malformed("signed, but not of layout %d", layoutVersion)
	}
	return t, nil
}

// A reader hands out bytes, and zeroes beyond the end.
type reader struct {
	rest  []byte
	short bool
}

// numbers reads into a value of a fixed size.
func (r *reader) numbers(to any) {
	_, _ = binary.Decode(r.next(binary.Size(to)), binary.BigEndian, to)
}

func (r *reader) next(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return make([]byte, n)
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}
