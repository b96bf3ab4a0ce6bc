package consistency

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
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
	signatureSize    = 20 + 8
	issuedSize       = 6
	leastPayloadSize = 2 + 1 + 1 + 1 + timesSize + issuedSize
)

// tokenText has no padding, and refuses bits beyond the last byte.
var tokenText = base64.RawURLEncoding.Strict()

func (t Token) encode(keyID string) []byte {
	b := make([]byte, 0, MaxTokenSize)
	flags := byte(0)
	if t.Signature != (Signature{}) {
		flags = flagSigned
	}
	b = append(b, layoutVersion, flags)
	b = append(append(b, byte(len(keyID))), keyID...)
	b = append(append(b, byte(len(t.Home))), t.Home...)
	for _, ts := range []bson.Timestamp{t.OperationTime, t.ClusterTime} {
		b = binary.BigEndian.AppendUint32(b, ts.T)
		b = binary.BigEndian.AppendUint32(b, ts.I)
	}
	if flags&flagSigned != 0 {
		b = append(b, t.Signature.Hash[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(t.Signature.KeyID))
	}
	issued := binary.BigEndian.AppendUint64(nil, uint64(t.Issued.UnixMilli()))
	return append(b, issued[8-issuedSize:]...)
}

// decodeText returns the bytes of a text that is exactly what encoding them gives. The decoder alone would pass over line breaks.
func decodeText(text string) ([]byte, error) {
	if len(text) > MaxTokenSize {
		return nil, fmt.Errorf("%w: %d characters, more than %d", ErrTokenMalformed, len(text), MaxTokenSize)
	}
	data, err := tokenText.DecodeString(text)
	if err != nil || tokenText.EncodeToString(data) != text {
		return nil, fmt.Errorf("%w: not base64url", ErrTokenMalformed)
	}
	if len(data) < leastPayloadSize+signing.Size {
		return nil, fmt.Errorf("%w: %d bytes", ErrTokenMalformed, len(data))
	}
	if data[0] != layoutVersion {
		return nil, fmt.Errorf("%w: layout %d, and this version reads %d", ErrTokenMalformed, data[0], layoutVersion)
	}
	return data, nil
}

// keyIDOf is the only part that is read before the signature has been checked.
func keyIDOf(data []byte) (string, error) {
	n := int(data[2])
	if n < 1 || n > signing.MaxID || 3+n > len(data)-signing.Size {
		return "", fmt.Errorf("%w: a key identifier of %d bytes", ErrTokenMalformed, n)
	}
	return string(data[3 : 3+n]), nil
}

// decode reads a payload whose signature is right, and yet checks it whole: an older or newer build may have signed it.
func decode(payload []byte) (Token, error) {
	r := reader{rest: payload[1:]}
	flags := r.next(1)[0]
	r.next(int(r.next(1)[0])) // the key's identifier
	home := r.next(int(r.next(1)[0]))
	t := Token{Home: topology.DatacenterID(home)}
	for _, ts := range []*bson.Timestamp{&t.OperationTime, &t.ClusterTime} {
		ts.T, ts.I = binary.BigEndian.Uint32(r.next(4)), binary.BigEndian.Uint32(r.next(4))
	}
	if flags&flagSigned != 0 {
		copy(t.Signature.Hash[:], r.next(20))
		t.Signature.KeyID = int64(binary.BigEndian.Uint64(r.next(8)))
	}
	issued := append([]byte{0, 0}, r.next(issuedSize)...)
	t.Issued = time.UnixMilli(int64(binary.BigEndian.Uint64(issued)))
	if r.short || len(r.rest) > 0 || flags&^flagSigned != 0 || flags&flagSigned != 0 && t.Signature == (Signature{}) {
		return Token{}, fmt.Errorf("%w: signed, but not of layout %d", ErrTokenMalformed, layoutVersion)
	}
	return t, nil
}

// A reader hands out bytes, and zeroes beyond the end.
type reader struct {
	rest  []byte
	short bool
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
