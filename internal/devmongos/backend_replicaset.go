package devmongos

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A replicaSet knows the members of one shard or of the config servers, and which of them is primary.
type replicaSet struct {
	name string
	log  *slog.Logger
	// core begins its reads anew when a member has fallen silent.
	core *core

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex // guards following
	members map[string]*member
	primary *member // nil while none is known
	// silent tells that since the last election a member has answered nothing, with its connections open.
	silent bool
	// term is the election of the newest primary seen, so that a deposed one that has not noticed is not believed.
	term term
	// changed is closed and replaced whenever a primary is found.
	changed chan struct{}
}

// A term orders elections: by electionId, then by the version of the configuration.
type term struct {
	election   string // 12 bytes, which compare like the number they are
	setVersion int64
}

func (t term) before(u term) bool {
	if t.election != u.election {
		return t.election < u.election
	}
	return t.setVersion < u.setVersion
}

// newReplicaSet starts to watch the members of a set given as "name/host:port,host:port".
func newReplicaSet(c *core, connection string) *replicaSet {
	name, hosts, _ := strings.Cut(connection, "/")
	s := &replicaSet{name: name, core: c, log: c.log.With("set", name), members: map[string]*member{}, changed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(c.base)
	s.mu.Lock()
	defer s.mu.Unlock()
	for address := range strings.SplitSeq(hosts, ",") {
		s.addLocked(address)
	}
	return s
}

func (s *replicaSet) addLocked(address string) {
	if s.members[address] != nil || s.ctx.Err() != nil {
		return
	}
	m := newMember(s, address)
	s.members[address] = m
	s.wg.Go(func() { m.watch(s.ctx) })
}

// close stops watching and closes all connections.
func (s *replicaSet) close() {
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		m.close()
	}
}

// observe takes what a member says of itself and its set.
func (s *replicaSet) observe(m *member, hello bsoncore.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !boolField(hello, "isWritablePrimary") {
		s.dethroneLocked(m)
		return
	}
	election, _ := field(hello, "electionId").ObjectIDOK()
	now := term{string(election[:]), intField(hello, "setVersion")}
	if now.before(s.term) {
		return
	}
	s.term = now
	s.membersLocked(hello)
	if s.primary == m {
		return
	}
	s.log.Info("primary found", "member", m.address)
	if former := s.primary; former != nil {
		former.lookAgain() // it may be paused, with clients waiting for its answers
	}
	s.primary = m
	if s.silent {
		// The core may have begun reads on the silent one until now, and would wait for it; those go to this one instead.
		s.silent = false
		s.core.reset()
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// membersLocked follows the primary's list of members; arbiters hold no data and are not asked.
func (s *replicaSet) membersLocked(hello bsoncore.Document) {
	listed := map[string]bool{}
	for _, list := range []string{"hosts", "passives"} {
		for _, v := range arrayValues(field(hello, list)) {
			address, _ := v.StringValueOK()
			listed[address] = true
			s.addLocked(address)
		}
	}
	for address, m := range s.members {
		if !listed[address] {
			s.dethroneLocked(m)
			delete(s.members, address)
			m.stop()
		}
	}
}

func (s *replicaSet) dethroneLocked(m *member) {
	if s.primary == m {
		s.log.Info("primary lost", "member", m.address)
		s.primary = nil
	}
}

// lost is told of a member that does not answer, or not as a primary should.
func (s *replicaSet) lost(m *member, silent bool) {
	s.mu.Lock()
	s.silent = s.silent || silent
	s.dethroneLocked(m)
	s.mu.Unlock()
}

// errSetClosed is returned for a set that the router has let go of: its shard was removed.
var errSetClosed = errors.New("the shard was removed")

// waitPrimary returns the primary, waiting for one to be elected for as long as the budget allows and somebody watches.
func (s *replicaSet) waitPrimary(ctx context.Context) (*member, error) {
	for {
		s.mu.Lock()
		primary, changed := s.primary, s.changed
		s.mu.Unlock()
		if primary != nil {
			return primary, nil
		}
		select {
		case <-changed:
		case <-s.ctx.Done():
			return nil, errSetClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// list returns the members known.
func (s *replicaSet) list() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.members))
}

// onPrimary runs cmd on the primary, and again on the next one when the first is lost on the way. A command that is not
// repeatable is sent again only if it certainly has not been executed; otherwise the client has to decide.
func (s *replicaSet) onPrimary(ctx context.Context, cmd command, repeatable bool) (reply, error) {
	budget, cancel := context.WithTimeout(ctx, s.core.budget)
	defer cancel()
	var last error
	for {
		primary, err := s.waitPrimary(budget)
		if err != nil {
			if errors.Is(err, errSetClosed) {
				last = err
			}
			return reply{}, s.noPrimary(ctx, last)
		}
		rep, err := primary.run(ctx, cmd)
		var transport *transportError
		switch {
		case errors.As(err, &transport):
			primary.suspect(true)
			if transport.Sent && !repeatable {
				return reply{}, err
			}
			last = err
		case err != nil:
			return reply{}, err
		default:
			code := failureOf(rep.doc)
			if !isNotPrimary(code) {
				return rep, nil
			}
			primary.suspect(false)
			if !repeatable || budget.Err() != nil {
				return rep, nil
			}
			last = &replyError{rep.doc}
		}
	}
}

// failureOf is the code of an answer, or else that of its write concern error: a write that an election interrupted
// while it waited for the majority may not survive it.
func failureOf(doc bsoncore.Document) int32 {
	if code := codeOf(doc); code != 0 {
		return code
	}
	return int32(intField(documentField(doc, "writeConcernError"), "code"))
}

func (s *replicaSet) noPrimary(ctx context.Context, last error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case answerIn(last) != nil:
		return last
	case last != nil:
		return refuse(codeNoReadPreference, "could not find a primary of set %s within %v; last: %v", s.name, s.core.budget, last)
	}
	return refuse(codeNoReadPreference, "could not find a primary of set %s within %v", s.name, s.core.budget)
}
