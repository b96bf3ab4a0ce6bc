package devmongos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/pace"
	"github.com/geoshard/geoshard/internal/wire"
)

// serve accepts clients until ctx ends, then lets the commands that are running finish within the grace; cancelCommands ends
// those that do not.
func (s *server) serve(ctx context.Context, cancelCommands context.CancelFunc, listener net.Listener) error {
	stopListening := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stopListening()
	var clients sync.WaitGroup
	err := s.accept(ctx, listener, &clients)
	_ = listener.Close()

	finished := make(chan struct{})
	go func() { clients.Wait(); close(finished) }()
	if err == nil {
		select {
		case <-finished:
		case <-time.After(s.cfg.StopGrace):
			s.log.Info("commands still running at the end of the grace are cut off")
		}
	}
	cancelCommands()
	<-finished
	s.log.Info("stopped")
	return err
}

// accept returns nil when ctx ends.
func (s *server) accept(ctx context.Context, listener net.Listener, clients *sync.WaitGroup) error {
	for {
		nc, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if nc != nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept clients: %w", err)
		case err != nil:
			// Most likely too many open files: clients that leave make room.
			s.log.Warn("accept client", "error", err)
			pace.Pause(ctx, 50*time.Millisecond)
			continue
		}
		if s.clients.now.Add(1) > int64(s.cfg.MaxConnections) {
			s.clients.now.Add(-1)
			s.log.Warn("client turned away: too many connections", "limit", s.cfg.MaxConnections)
			_ = nc.Close()
			continue
		}
		clients.Go(func() {
			defer s.clients.now.Add(-1)
			s.serveClient(ctx, &client{backend: s.backend, conn: nc, id: s.clients.ever.Add(1)})
		})
	}
}

// serveClient answers the client's commands, one after the other, until it leaves or stop ends.
func (s *server) serveClient(stop context.Context, c *client) {
	defer c.conn.Close()
	ctx, cancel := context.WithCancel(s.base)
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
			s.log.Debug("client's message refused", "connection", c.id, "error", err)
			break
		}
		out.bytes = s.answer(ctx, c, msg, out.bytes[:0])
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
	s.transactions.closed(c)
	c.login.end()
	for buf := range incoming { // the reader ends now, and hands over what it may hold
		buf.release()
	}
}

// answer appends the answer to one message to dst: nothing if the client waits for none.
func (s *server) answer(ctx context.Context, c *client, msg wire.Message, dst []byte) []byte {
	req := newRequest(c, msg)
	defer req.release()
	doc, err := s.dispatch(ctx, req)
	if err != nil {
		if msg.MoreToCome() || ctx.Err() != nil {
			s.log.Debug("command failed", "command", req.name, "error", err)
		}
		doc = errorReply(err, req.retryable())
	}
	if msg.MoreToCome() {
		return dst
	}
	return req.appendAnswer(dst, doc)
}

func (s *server) dispatch(ctx context.Context, req *request) (doc bsoncore.Document, err error) {
	defer func() {
		if p := recover(); p != nil {
			// A bug met by one client is not to end the others.
			s.log.Error("command panicked", "command", req.name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("query router failed on %s: %v", req.name, p)
		}
	}()
	run, known := s.commands[req.name]
	if !known {
		return nil, refuse(codeCommandNotFound, "no such command: '%s'", req.name)
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	if err := req.client.admit(req.name); err != nil {
		return nil, err
	}
	if err := s.authorize(ctx, req); err != nil {
		return nil, err
	}
	if err := s.transactions.check(req); err != nil {
		return nil, err
	}
	if req.maxTime > 0 && req.name != "getMore" {
		var cancel context.CancelFunc
		// The members keep the limit themselves; ours comes a little later, so that their answer arrives.
		ctx, cancel = context.WithTimeout(ctx, req.maxTime+maxTimeSlack)
		defer cancel()
	}
	if req.inTransaction() {
		return s.transactions.transact(ctx, req)
	}
	return run(ctx, req)
}

const maxTimeSlack = 100 * time.Millisecond
