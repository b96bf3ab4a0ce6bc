package devmongos

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/internal/wire"
)

// A silentServer answers ok, but nothing while it is silent; its connections stay open.
type silentServer struct {
	net.Listener
	asked chan struct{} // one for each command while it was silent

	mu      sync.Mutex
	silent  bool                // guarded by mu
	instead []bsoncore.Document // what it answers first; guarded by mu
}

func startSilent(t *testing.T) *silentServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &silentServer{Listener: l, silent: true, asked: make(chan struct{}, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *silentServer) serve(conn net.Conn) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		b, err := wire.Read(in, nil)
		if err != nil {
			return
		}
		msg, err := wire.Decode(b)
		if err != nil {
			return
		}
		s.mu.Lock()
		silent, answer := s.silent, okReply
		if !silent && len(s.instead) > 0 {
			answer, s.instead = s.instead[0], s.instead[1:]
		}
		s.mu.Unlock()
		if silent {
			s.asked <- struct{}{}
			continue
		}
		start, out := wire.AppendMsgStart(nil, 1, msg.RequestID, 0)
		if _, err := conn.Write(wire.AppendMsgEnd(append(out, answer...), start)); err != nil {
			return
		}
	}
}

// reads reads through the server as through a core, until the test ends.
func (s *silentServer) reads(ctx context.Context, t *testing.T) *core {
	t.Helper()
	reads := newCore(s.Addr().String(), &backend{base: ctx, log: slog.New(slog.DiscardHandler), budget: testkit.Patience, dial: new(net.Dialer).DialContext})
	t.Cleanup(reads.close)
	return reads
}

func (s *silentServer) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = false
}

// When a shard is removed while its members are silent, nobody watches them any more. Who waits for them, here or through the core, is freed.
func TestRemovedShardFreesThoseWhoWait(t *testing.T) {
	core, member := startSilent(t), startSilent(t)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	reads := core.reads(ctx, t)
	set := newReplicaSet(reads, "s2/"+member.Addr().String())
	began := time.Now()
	waits := map[string]chan error{"for the primary": make(chan error, 1), "through the core": make(chan error, 1)}
	go func() {
		_, err := set.onPrimary(ctx, command{body: okReply}, true)
		waits["for the primary"] <- err
	}()
	go func() {
		rep, err := reads.ask(ctx, build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, "clusterFind", "c") }))
		if err == nil {
			rep.buf.release()
		}
		waits["through the core"] <- err
	}()
	<-core.asked
	<-member.asked
	core.answer()
	newCatalogue(reads, nil).leave(ctx, set)
	if err := <-waits["through the core"]; err != nil {
		t.Errorf("through the core: %v", err)
	}
	if err := <-waits["for the primary"]; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("for the primary: got %v, want an answer that says that there is none", err)
	}
	if took := time.Since(began); took > testkit.Patience/2 {
		t.Errorf("those who waited were freed after %v", took)
	}
}

// The core gives up when a member that is paused gives it no connection in time. The read has not begun then, and goes to the next primary.
func TestAReadIsRepeatedWhenTheCoreGotNoConnection(t *testing.T) {
	core := startSilent(t)
	core.instead = []bsoncore.Document{errorReply(refuse(codeNoConnection, "Couldn't get a connection within the time limit"), false)}
	core.answer()
	reads := core.reads(t.Context(), t)
	rep, err := reads.ask(t.Context(), build(func(dst []byte) []byte { return bsoncore.AppendStringElement(dst, "clusterFind", "c") }))
	if err != nil {
		t.Fatal(err)
	}
	defer rep.buf.release()
	if code := codeOf(rep.doc); code != 0 {
		t.Errorf("answered with code %d, want the answer of the second time", code)
	}
}
