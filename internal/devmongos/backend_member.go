package devmongos

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	// helloAwait is how long a member may hold back its answer while nothing changes: elections are heard of at once, and a
	// silent member is found out within helloAwait + helloTimeout.
	helloAwait = 2 * time.Second
	// helloTimeout is what an answer may take beyond that; longer than the worst round trip between datacenters. A member that
	// does not keep it loses its connections, so that those who wait for it turn to the next primary.
	helloTimeout = 3 * time.Second
	// watchRetry is the pause between two attempts to reach a member that is down.
	watchRetry = 100 * time.Millisecond
)

// A member is one member of a replica set, watched by a goroutine of its own.
type member struct {
	*host
	set *replicaSet
	// kick interrupts the watcher, to look again now.
	kick chan struct{}
	gone chan struct{}
	// answering is the watcher's own: the last hello was answered.
	answering bool
}

func newMember(s *replicaSet, address string) *member {
	return &member{host: newHost(address, s.core.backend), set: s, kick: make(chan struct{}, 1), gone: make(chan struct{})}
}

// stop ends the watcher of a member that has left the set. The caller holds set.mu.
func (m *member) stop() {
	close(m.gone)
	m.close()
}

// suspect says that the member did not act as the primary it was taken for: it is asked again before it is believed again.
// With reset its connections are closed, as they probably lead nowhere.
func (m *member) suspect(reset bool) {
	m.set.lost(m, false)
	if reset {
		m.reset()
	}
	m.lookAgain()
}

// lookAgain makes the watcher ask the member at once.
func (m *member) lookAgain() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// watch follows the member until ctx ends or the member is stopped.
func (m *member) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		err := m.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			m.unreachable(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.gone:
			return
		case <-time.After(watchRetry):
		}
	}
}

// unreachable frees all who wait for the member.
func (m *member) unreachable(err error) {
	m.set.log.Debug("member not answering", "member", m.address, "error", err)
	silent := m.answering && errors.Is(err, os.ErrDeadlineExceeded)
	m.set.lost(m, silent)
	m.reset()
	if silent {
		// It has fallen silent without closing its connections. The core would wait for it without end, as a mongos would; started
		// anew, its commands go to the next primary.
		m.set.log.Info("member silent, reads through the core start anew", "member", m.address)
		m.set.core.reset()
	}
	m.answering = false
}

// follow asks hello again and again on one connection. It returns nil when it was kicked.
func (m *member) follow(ctx context.Context) error {
	c, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var version bsoncore.Document
	for {
		limit := helloTimeout
		if version != nil {
			limit += helloAwait
		}
		rep, kicked, err := m.ask(ctx, c, helloCommand(version), limit)
		if kicked || err != nil {
			return err
		}
		m.answering = true
		m.set.observe(m, rep.doc)
		version = bytes.Clone(documentField(rep.doc, "topologyVersion"))
		rep.buf.release()
	}
}

// ask runs one hello, which a kick, the end of the member or its silence ends early.
func (m *member) ask(ctx context.Context, c *serverConn, hello bsoncore.Document, limit time.Duration) (rep reply, kicked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan struct{})
	interrupted := make(chan bool, 1)
	go func() {
		select {
		case <-m.kick:
		case <-m.gone:
		case <-done:
			interrupted <- false
			return
		}
		interrupted <- true
		cancel()
	}()
	rep, err = m.roundTrip(ctx, c, command{body: hello})
	close(done)
	if <-interrupted {
		return reply{}, true, nil
	}
	if err == nil && codeOf(rep.doc) != 0 {
		err = errors.New(stringField(rep.doc, "errmsg"))
	}
	return rep, false, err
}

func helloCommand(topologyVersion bsoncore.Document) bsoncore.Document {
	wait := when(topologyVersion != nil, "topologyVersion", topologyVersion, "maxAwaitTimeMS", helloAwait.Milliseconds())
	return document("hello", 1, "$db", "admin", wait)
}
