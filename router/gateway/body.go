package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

var errTooLarge = errors.New("the body is larger than the limit")

// A clientBody reads what the client sends, with a limit on its size and a bound on each wait, so that a slow upload may take as long as it goes on
// and a stalled one is ended.
type clientBody struct {
	from  io.ReadCloser
	conn  *http.ResponseController
	left  int64 // 0 = the limit is reached; negative = there is none
	stall time.Duration
	// touched is true once somebody has asked for it, and why says how the client failed to send it. A try that was given up may still be reading.
	touched atomic.Bool
	// ended: all of it has come in.
	ended atomic.Bool
	why   atomic.Pointer[error]
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.why.Store(&err)
	}
	return n, err
}

func (b *clientBody) read(p []byte) (int, error) {
	b.touched.Store(true)
	if b.left >= 0 && int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	_ = b.conn.SetReadDeadline(time.Now().Add(b.stall)) // connections without deadlines are those of tests
	n, err := b.from.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{}) // the wait for the client to go away has no end
		b.ended.Store(true)
	}
	if b.left < 0 {
		return n, err
	}
	if b.left -= int64(n); b.left < 0 {
		b.left = 0
		return n - 1, errTooLarge
	}
	return n, err
}

// Close does nothing: the body belongs to the server, which closes it after the handler.
func (b *clientBody) Close() error { return nil }

// A sendable is the body of a request on its way to upstreams.
type sendable struct {
	// client is where the body comes from; nil where it was not looked at.
	client *clientBody
	// kept is the whole body of a request that may be sent again; nil where there is none.
	kept []byte
	// streamed: the body is read once.
	streamed bool
	// head of the stream has been read to see whether it is short.
	head []byte
}

// spent reports whether the body cannot be sent once more, because it was streamed.
func (s *sendable) spent() bool {
	return s.streamed && (len(s.head) > 0 || s.client.touched.Load())
}

// failure is how the client failed to send its body; nil if it did not.
func (s *sendable) failure() error {
	if s.client != nil {
		if why := s.client.why.Load(); why != nil {
			return *why
		}
	}
	return nil
}

// attach gives a try its body. size is what the client has announced, -1 for nothing.
func (s *sendable) attach(out *http.Request, size int64) {
	out.Body, out.GetBody, out.ContentLength = nil, nil, 0
	switch {
	case s.streamed && len(s.head) > 0:
		out.Body, out.ContentLength = &prefixed{io.MultiReader(bytes.NewReader(s.head), s.client), s.client}, size
	case s.streamed:
		out.Body, out.ContentLength = s.client, size
	case len(s.kept) > 0:
		kept := s.kept
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept)), nil }
		out.Body, _ = out.GetBody()
		out.ContentLength = int64(len(kept))
		delete(out.Header, "Expect") // the client has sent it already
	}
}

// keep reads a body that is short enough to be sent again. One that turns out to be longer is streamed, and sent once.
func (s *sendable) keep(size, most int64) error {
	if size >= 0 {
		s.kept = make([]byte, size)
		_, err := io.ReadFull(s.client, s.kept)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(s.client, most+1))
	switch {
	case err != nil:
		return err
	case int64(len(text)) > most:
		s.streamed, s.head = true, text
	default:
		s.kept = text
	}
	return nil
}
