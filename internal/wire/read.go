package wire

import (
	"encoding/binary"
	"io"
	"slices"
)

const (
	// HeaderSize is the size in bytes of the header that starts every message.
	HeaderSize = 16
	// MaxMessageSize is the largest message in bytes, header included, that a mongod takes: maxMessageSizeBytes of its hello.
	MaxMessageSize = 48_000_000
	// growStep is how far a buffer grows ahead of the bytes that have arrived, so that a header that claims 48 MB and a
	// peer that sends nothing cost us no more than this.
	growStep = 64 << 10
)

// Read reads one whole message from r into buf, which it grows as bytes arrive, and returns the message, header included.
// io.EOF means that the peer ended the stream between two messages, io.ErrUnexpectedEOF that it did so inside one;
// a length outside HeaderSize..MaxMessageSize is ErrMalformed.
func Read(r io.Reader, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], HeaderSize)[:HeaderSize]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf[:0], err
	}
	claimed := int32(binary.LittleEndian.Uint32(buf))
	if claimed < HeaderSize || claimed > MaxMessageSize {
		return buf[:0], malformed("message length %d, want %d to %d", claimed, HeaderSize, MaxMessageSize)
	}
	for total := int(claimed); len(buf) < total; {
		have := len(buf)
		// Doubling keeps the copying linear; it is bounded by what has already arrived.
		buf = slices.Grow(buf, min(total-have, max(growStep, have)))
		n := min(total-have, cap(buf)-have)
		buf = buf[:have+n]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return buf[:0], err
		}
	}
	return buf, nil
}
