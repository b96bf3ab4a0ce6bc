package devmongos

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

// A client is one connection of a client. One goroutine reads, one answers: so the router notices that a client has gone while
// its command runs, and ends the command.
type client struct {
	router *router
	conn   net.Conn
	id     int64
	// login is the answering goroutine's own.
	login login
}

func newClient(r *router, nc net.Conn) *client {
	return &client{router: r, conn: nc, id: r.connectionID.Add(1)}
}

// serve answers the client's commands, one after the other, until it leaves or stop ends.
func (c *client) serve(stop context.Context) {
	defer c.conn.Close()
	ctx, cancel := context.WithCancel(c.router.base)
	defer cancel()
	// At a stop no further command is read; the one that runs is answered.
	stopReading := context.AfterFunc(stop, func() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stopReading()

	incoming := make(chan *buffer)
	go func() {
		defer close(incoming)
		c.receive(ctx, incoming)
		if stop.Err() == nil {
			cancel()
		}
	}()
	out := newBuffer()
	defer func() { out.release() }()
	for buf := range incoming {
		msg, err := wire.Decode(buf.bytes)
		if err != nil {
			c.router.log.Debug("client's message refused", "connection", c.id, "error", err)
			break
		}
		out.bytes = c.answer(ctx, msg, out.bytes[:0])
		buf.release()
		if len(out.bytes) > 0 {
			if _, err := c.conn.Write(out.bytes); err != nil {
				break
			}
		}
		if cap(out.bytes) > maxPooledBuffer {
			out = newBuffer()
		}
	}
	cancel()
	_ = c.conn.Close()
	c.router.transactions.closed(c)
	c.login.end()
	for buf := range incoming { // the reader ends now, and hands over what it may hold
		buf.release()
	}
}

// receive reads messages until the connection ends; it is at most one ahead of the answers.
func (c *client) receive(ctx context.Context, incoming chan<- *buffer) {
	in := bufio.NewReaderSize(c.conn, 4096)
	for {
		if _, err := in.Peek(1); err != nil { // no buffer while the client is idle
			return
		}
		buf := newBuffer()
		var err error
		if buf.bytes, err = wire.Read(in, buf.bytes); err != nil {
			buf.release()
			return
		}
		select {
		case incoming <- buf:
		case <-ctx.Done():
			buf.release()
			return
		}
	}
}

// answer appends the answer to one message to dst: nothing if the client waits for none.
func (c *client) answer(ctx context.Context, msg wire.Message, dst []byte) []byte {
	req := newRequest(c, msg)
	defer req.release()
	doc, err := c.dispatch(ctx, req)
	if err != nil {
		if msg.MoreToCome() || ctx.Err() != nil {
			c.router.log.Debug("command failed", "command", req.name, "error", err)
		}
		doc = errorReply(err, req.retryable())
	}
	if msg.MoreToCome() {
		return dst
	}
	return req.appendAnswer(dst, doc)
}

func (c *client) dispatch(ctx context.Context, req *request) (doc bsoncore.Document, err error) {
	defer func() {
		if p := recover(); p != nil {
			// A bug met by one client is not to end the others.
			c.router.log.Error("command panicked", "command", req.name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("query router failed on %s: %v", req.name, p)
		}
	}()
	run, known := c.router.commands[req.name]
	if !known {
		return nil, refuse(codeCommandNotFound, "no such command: '%s'", req.name)
	}
	if err := c.admit(req.name); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	if limit, ok := intField(req.body, "maxTimeMS"); ok && limit > 0 && req.name != "getMore" {
		var cancel context.CancelFunc
		// The members keep the limit themselves; ours comes a little later, so that their answer arrives.
		ctx, cancel = context.WithTimeout(ctx, time.Duration(limit)*time.Millisecond+maxTimeSlack)
		defer cancel()
	}
	if req.inTransaction() {
		return c.router.transact(ctx, req)
	}
	return run(c.router, ctx, req)
}

const maxTimeSlack = 100 * time.Millisecond
