package devmongos

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"github.com/geoshard/geoshard/internal/wire"
)

// maxIdle is how many unused connections are kept per member.
const maxIdle = 128

var errHostReset = errors.New("connection reset by the router: the member is gone or not answering")

// A command is what the router sends to a server: a body without $clusterTime, and the array argument that goes outside it.
type command struct {
	body bsoncore.Document
	// name and docs are the kind-1 section; none if name is empty.
	name string
	docs []bsoncore.Document
}

// A reply is a server's answer. Its document lives in the buffer.
type reply struct {
	doc bsoncore.Document
	buf *buffer
	// host is the member that answered.
	host *host
}

// answerOf is the document of a reply; one with ok: 0 is a *replyError.
func answerOf(rep reply, err error) (bsoncore.Document, error) {
	if err == nil && codeOf(rep.doc) != 0 {
		return nil, &replyError{rep.doc}
	}
	return rep.doc, err
}

// kept is answerOf with a document that is the caller's to keep.
func kept(rep reply, err error) (bsoncore.Document, error) {
	if err != nil {
		return nil, err
	}
	defer rep.buf.release()
	return answerOf(reply{doc: bytes.Clone(rep.doc)}, nil)
}

// commandOn makes a command for a database.
func commandOn(db string, cmd bson.D) (command, error) {
	body, err := bson.Marshal(fields(cmd, "$db", db))
	return command{body: body}, err
}

// A host is one server process with the connections to it.
type host struct {
	*backend
	address string

	mu sync.Mutex // guards following
	// idle is used as a stack, so that connections beyond the load grow old and few.
	idle   []*serverConn
	inUse  map[*serverConn]struct{}
	closed bool
}

type serverConn struct {
	net.Conn
	read *bufio.Reader
}

func newHost(address string, b *backend) *host {
	return &host{backend: b, address: address, inUse: map[*serverConn]struct{}{}}
}

// run sends one command and waits for its answer. An answer with ok: 0 is a reply, not an error; errors are *transportError, or
// the context's.
func (h *host) run(ctx context.Context, cmd command) (reply, error) {
	c, err := h.checkout(ctx)
	if err != nil {
		return reply{}, h.failure(ctx, err, false)
	}
	rep, err := h.roundTrip(ctx, c, cmd)
	h.checkin(c, err == nil)
	if err != nil {
		return reply{}, h.failure(ctx, err, true)
	}
	return rep, nil
}

func (h *host) failure(ctx context.Context, err error, sent bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &transportError{Host: h.address, Sent: sent, Err: err}
}

func (h *host) checkout(ctx context.Context) (*serverConn, error) {
	h.mu.Lock()
	if n := len(h.idle); n > 0 {
		c := h.idle[n-1]
		h.idle = h.idle[:n-1]
		h.inUse[c] = struct{}{}
		h.mu.Unlock()
		return c, nil
	}
	h.mu.Unlock()
	c, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		c.Close()
		return nil, errHostReset
	}
	h.inUse[c] = struct{}{}
	return c, nil
}

func (h *host) connect(ctx context.Context) (*serverConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := h.open(ctx)
	if err != nil || !h.guard.authenticates() {
		return c, err
	}
	if err := h.guard.logIn(ctx, c, h.address); err != nil {
		c.Close()
		return nil, fmt.Errorf("log in to %s: %w", h.address, err)
	}
	return c, nil
}

// open connects without logging in.
func (h *host) open(ctx context.Context) (*serverConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := h.dial(ctx, "tcp", h.address)
	if err != nil {
		return nil, err
	}
	if nc, err = h.guard.encrypt(ctx, nc, h.address); err != nil {
		return nil, err
	}
	return newServerConn(nc), nil
}

func newServerConn(nc net.Conn) *serverConn {
	return &serverConn{Conn: nc, read: bufio.NewReaderSize(nc, 4096)}
}

func (h *host) checkin(c *serverConn, usable bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.inUse[c] // a reset forgets connections in use: they are not to come back
	delete(h.inUse, c)
	if usable && known && !h.closed && len(h.idle) < maxIdle {
		h.idle = append(h.idle, c)
		return
	}
	c.Close()
}

// reset closes all connections, so that whoever waits on one finds out now.
func (h *host) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.idle {
		c.Close()
	}
	for c := range h.inUse {
		c.Close()
	}
	h.idle = nil
	clear(h.inUse)
}

func (h *host) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.reset()
}

func (h *host) roundTrip(ctx context.Context, c *serverConn, cmd command) (reply, error) {
	deadline, _ := ctx.Deadline() // the zero time is no deadline
	if err := c.SetDeadline(deadline); err != nil {
		return reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	buf, msg := newBuffer(), wire.Message{}
	id := wiremessage.NextRequestID()
	buf.bytes = h.encode(buf.bytes, id, cmd)
	_, err := c.Write(buf.bytes)
	if err == nil {
		buf.bytes, err = wire.Read(c.read, buf.bytes)
	}
	if err == nil {
		msg, err = wire.Decode(buf.bytes)
	}
	if err == nil && msg.ResponseTo != id {
		err = fmt.Errorf("answer to request %d, want %d", msg.ResponseTo, id)
	}
	if err != nil {
		buf.release()
		return reply{}, err
	}
	h.clock.observe(documentField(msg.Body, "$clusterTime"))
	return reply{doc: msg.Body, buf: buf, host: h}, nil
}

func (h *host) encode(dst []byte, id int32, cmd command) []byte {
	start, dst := wire.AppendMsgStart(dst, id, 0, 0)
	body := int32(len(dst))
	dst = append(dst, cmd.body[:len(cmd.body)-1]...)
	dst = endDocument(h.clock.appendTo(dst), body)
	if cmd.name != "" {
		dst = wire.AppendSequence(dst, cmd.name, cmd.docs)
	}
	return wire.AppendMsgEnd(dst, start)
}
