package consistency

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// What servers add, as constants of MongoDB's source or by measurement (docs/results/failover.md).
const (
	// fetcherBuffer is oplogNetworkTimeoutBufferSeconds, after which a member whose sync source is
	// silent tries once more, and after as much again chooses another one.
	fetcherBuffer = 5 * time.Second
	// reattach is how many round trips it takes a member to learn of a new primary, to find that it
	// has to copy from there, to connect, to copy and to report. Meanwhile it pauses for up to a
	// second between two tries to find whom to copy from (BackgroundSync), leastPause and a random
	// part of morePause. Fitted on 102 kills and 21 losses.
	reattach              = 7
	leastPause, morePause = 450 * time.Millisecond, 500 * time.Millisecond
	// tryAgain is how long a client that was refused waits until it tries again.
	tryAgain = 100 * time.Millisecond
	// storeVote is the journalled write of a vote, answer what a server takes to answer another one
	// on a machine with other work: measured in the servers' logs.
	storeVote, answer = 5 * time.Millisecond, 10 * time.Millisecond
	// givenUp ends a drawn election that elects nobody.
	givenUp = 30
)

// A voter is a member that is left after a failure.
type voter struct {
	topology.Member
	stands     bool
	has        time.Duration // the moment up to which it has the old primary's writes
	term, vote int           // its term, and the last one that it voted in
}

// An election is what is left of a set after its primary is gone, under a steady load of writes:
// one draw of how long nobody can write. It follows MongoDB's source (src/mongo/db/repl/): each
// member that may become primary waits for the election timeout since it last heard of the primary,
// by an oplog batch or a heartbeat, and a random part of the offset limit
// (_cancelAndRescheduleElectionTimeout). Then it asks all members whether they would elect it (the
// dry run: replication_coordinator_impl_elect_v1.cpp), and if a majority would, begins a term,
// votes for itself and asks for their votes. A voter refuses who has less than itself, an older
// term, and a second candidate of a term (topology_coordinator.cpp, processReplSetRequestVotes).
// Whoever is not elected waits for its next timeout, which began to run when it stood. The elected
// one asks by a round of heartbeats what the others have, waits for all that it does not hold for
// dead, and takes writes when it has as much (CatchupState::signalHeartbeatUpdate). All members
// copy from the primary: who copies from another member (settings.chainingAllowed) has another
// primary's word sooner after a cut, but that changes from start to start.
type election struct {
	replicaSet
	Elections
	failure Failure
	random  *rand.Rand

	left     []*voter
	stranded time.Duration // until when members wait for the old primary's oplog
	now      time.Duration
	events   []simEvent
	terms    int // votes in earnest
	writable time.Duration
	lasting  time.Duration // the first write that a second datacenter has
}

// run draws one election; false when nobody is ever elected.
func (e *election) run() bool {
	for _, v := range e.left {
		heard := e.world.RTT(e.home, v.DC) / 2
		switch {
		case e.world.Arbiter(v.Member):
			v.has = -e.Timeout // nothing
		case e.failure == DatacenterCut: // what is on the way is lost
			v.has, heard = -heard, 0
			e.stranded = 2*(e.Timeout/2+fetcherBuffer) + leastPause
			e.at(e.stranded, func() { v.has = 0 })
		}
		if v.stands {
			e.at(heard+e.patience(), func() { e.stand(v) })
		}
	}
	for len(e.events) > 0 && e.writable == 0 && e.now < givenUp*e.Timeout {
		next := e.events[0]
		e.events, e.now = e.events[1:], next.at
		next.do()
	}
	return e.writable > 0
}

// patience is an election timeout with its random part.
func (e *election) patience() time.Duration {
	return e.Timeout + e.part(time.Duration(e.Spread*float64(e.Timeout)))
}

// part is a random part of a duration.
func (e *election) part(of time.Duration) time.Duration {
	return time.Duration(e.random.Float64() * float64(of))
}

func (e *election) at(t time.Duration, do func()) {
	i, _ := slices.BinarySearchFunc(e.events, t+1, func(one simEvent, t time.Duration) int {
		return cmp.Compare(one.at, t)
	})
	e.events = slices.Insert(e.events, i, simEvent{t, do})
}

// stand begins with the dry run, and has the next try on the clock.
func (e *election) stand(v *voter) {
	e.at(e.now+e.patience(), func() { e.stand(v) })
	term := v.term
	e.ask(v, term, false, func() {
		if v.term != term {
			return // another one has begun a term meanwhile
		}
		e.terms++
		v.term++
		v.vote = v.term
		e.at(e.now+storeVote, func() { e.ask(v, v.vote, true, func() { e.win(v) }) })
	})
}

// ask collects votes; won is called when a majority has said yes.
func (e *election) ask(v *voter, term int, earnest bool, won func()) {
	yes := 1
	for _, o := range e.left {
		if o == v {
			continue
		}
		way := e.world.RTT(v.DC, o.DC) / 2
		e.at(e.now+way, func() {
			granted := term >= o.term && v.has >= o.has && (!earnest || o.vote < term)
			o.term = max(o.term, term)
			if granted && earnest {
				o.vote = term
			}
			heard := o.term
			e.at(e.now+answer+way, func() {
				v.term = max(v.term, heard)
				if granted && v.term == term {
					if yes++; yes == e.majority() {
						won()
					}
				}
			})
		})
	}
	if yes == e.majority() {
		won()
	}
}

// win is what comes after the votes: the primary finds out what the others have, and is one for its
// clients when it has that.
func (e *election) win(v *voter) {
	var farthest time.Duration
	seen := 1 // by itself, and by those that it will go on to hear of
	for _, o := range e.left {
		rtt := e.world.RTT(v.DC, o.DC) + answer
		farthest = max(farthest, rtt)
		if o != v && (e.world.Arbiter(o.Member) || e.now >= e.stranded || e.Heartbeat+rtt <= e.Timeout) {
			seen++
		}
	}
	// A connection that is new, and the heartbeat; a dead process refuses at once.
	catchUp := max(2*farthest, e.world.RTT(v.DC, e.home))
	if e.failure == DatacenterCut {
		// Who does not answer is held for dead after an election timeout, and that is looked at
		// when the next heartbeat of another one is answered.
		beat := e.Heartbeat + farthest
		catchUp = farthest + (max(0, e.Timeout-farthest)+beat-1)/beat*beat
		// Of those that still wait for the old primary's oplog nothing but heartbeats tells that
		// they are there. If these are too rare, it holds them for dead too and steps down.
		if seen < e.majority() {
			return
		}
	}
	if e.CatchUp >= 0 {
		catchUp = min(catchUp, e.CatchUp)
	}
	e.writable = e.now + catchUp + e.part(tryAgain)
	e.lasting = e.secondCopy(v)
}

// secondCopy is when the first write is in a second datacenter; 0 = never.
func (e *election) secondCopy(v *voter) time.Duration {
	nearest := time.Duration(-1)
	for _, o := range e.left {
		if o.DC == v.DC || e.world.Arbiter(o.Member) {
			continue
		}
		if rtt := e.world.RTT(v.DC, o.DC); nearest < 0 || rtt < nearest {
			nearest = rtt
		}
	}
	if nearest < 0 {
		return 0
	}
	return max(e.writable, e.stranded) + reattach*nearest + leastPause + e.part(morePause)
}
