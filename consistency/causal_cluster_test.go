package consistency_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

const (
	// heldBack is what London's member is behind while users travel.
	heldBack = 200 * time.Millisecond
	// travellers write in New York and read in London and Sydney, side by side.
	travellers = 24
	// stops are how often a traveller reads after each write: in London, in Sydney, in London.
	stops = 3
)

// tokens lets users write in New York and read in London, which lags, and in Sydney, while members are killed and paused: with a token that other processes
// open they miss nothing and never go back, without they do (S2.46, S2.47). Through the query routers, and on a replica set without any.
func tokens(t *testing.T, w *world) {
	if err := w.SetLag(t.Context(), "three/LON", heldBack); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.SetLag(context.Background(), "three/LON", 0); err != nil {
			t.Error(err)
		}
	}()
	session := lookup(t, "session")
	name := w.at(t, w.routed(t, "NYC", session, nil), "three").Name()
	routed, direct := newJourney(t, "query routers"), newJourney(t, "replica set")
	for _, dc := range []topology.DatacenterID{"NYC", "LON", "SYD"} {
		routed.collections = append(routed.collections, w.routed(t, dc, session, nil).Database(name).Collection("routed"))
		direct.collections = append(direct.collections, w.direct(t, "three", dc, session, nil).Database(name).Collection("direct"))
	}
	both := []*journey{routed, direct}
	for _, j := range both {
		j.without = j.run(300, false, nil)
	}
	calm := make(chan struct{})
	var all sync.WaitGroup
	for _, j := range both {
		all.Go(func() { j.with = j.run(int64(testkit.Count(t, "reads with a token", 1_000, 50_000)), true, calm) })
	}
	harm := harmMembers(t, w, testkit.Count(t, "members harmed", 3, 40))
	close(calm)
	all.Wait()
	t.Logf("meanwhile London's member was %s behind, and: %s", heldBack, strings.Join(harm, ", "))
	for _, j := range both {
		t.Logf("%-13s without token: %s", j.name, j.without)
		t.Logf("%-13s with token:    %s", j.name, j.with)
		if j.with.missed+j.with.back != 0 {
			t.Errorf("%s, with token: got %s, want no violation", j.name, j.with)
		}
		if j.without.missed == 0 {
			t.Errorf("%s, without token: got %s, want violations, or the check could not fail", j.name, j.without)
		}
		j.gaveUp(t)
	}
	if routed.without.back+direct.without.back == 0 {
		t.Error("without token nobody went back: the check could not fail")
	}
}

// harmMembers kills or pauses one member after the other, drawn from a seed that is logged, and lets each work again before the next. New York's, the
// primary, has its turn in soaks.
func harmMembers(t *testing.T, w *world, times int) (done []string) {
	t.Helper()
	random := rand.New(rand.NewPCG(testkit.Seed(t), 0))
	harms := []string{"kill three/LON", "pause three/SYD", "kill three/SYD", "pause three/LON", "kill three/NYC", "pause three/NYC"}
	for i := range times {
		harm := harms[i%len(harms)] // each kind in turn, for a random time
		kind, member, _ := strings.Cut(harm, " ")
		act := w.Kill
		if kind == "pause" {
			act = w.Pause
		}
		if err := act(t.Context(), member); err != nil {
			t.Errorf("%s: %v", harm, err)
			return done
		}
		testkit.Pause(t.Context(), 500*time.Millisecond+time.Duration(random.Int64N(int64(1500*time.Millisecond))))
		if err := w.Start(t.Context(), member); err != nil {
			t.Errorf("start %s: %v", member, err)
			return done
		}
		testkit.Pause(t.Context(), time.Duration(random.Int64N(int64(500*time.Millisecond))))
		done = append(done, harm)
	}
	awaitPrimary(t, w, "three", "NYC")
	return done
}

// A journey writes in the first datacenter and reads in the others.
type journey struct {
	t             *testing.T
	name          string
	collections   []*mongo.Collection
	writer, taker *signing.Keyring // two processes: they share the secret, not the value
	without, with outcome
}

func newJourney(t *testing.T, name string) *journey {
	return &journey{t: t, name: name, writer: ring(t, key(t, "k", 1)), taker: ring(t, key(t, "next", 2), key(t, "k", 1))}
}

// An outcome counts the reads that were answered. Others, of members that were killed and of members that did not catch up in time, are unanswered.
type outcome struct {
	reads, missed, back, unanswered int64
	slowest                         time.Duration
	last                            error // of the unanswered
}

func (o outcome) String() string {
	text := fmt.Sprintf("%d reads: %d did not see the reader's write, %d went back; slowest %s; %d unanswered", o.reads, o.missed, o.back, o.slowest.Round(time.Millisecond), o.unanswered)
	if o.last != nil {
		text += fmt.Sprintf(" (the last: %v)", o.last)
	}
	return text
}

// run travels until there are so many reads and, if given, calm is closed.
func (j *journey) run(reads int64, token bool, calm <-chan struct{}) outcome {
	var mu sync.Mutex
	var sum outcome
	began := time.Now()
	count := func(o outcome) (enough bool) {
		mu.Lock()
		defer mu.Unlock()
		sum.reads, sum.missed, sum.back, sum.unanswered = sum.reads+o.reads, sum.missed+o.missed, sum.back+o.back, sum.unanswered+o.unanswered
		sum.slowest = max(sum.slowest, o.slowest)
		if o.last != nil {
			sum.last = o.last
		}
		if calm != nil {
			select {
			case <-calm:
			default:
				return false
			}
		}
		// Without a token it goes on until somebody has missed something: a router may have taken the member that is behind for gone, for a while.
		return sum.reads >= reads && (token || sum.missed > 0 || time.Since(began) > testkit.Patience)
	}
	_ = inParallel(travellers, func(user int) error {
		traveller := &traveller{j: j, user: user, token: token}
		for j.t.Context().Err() == nil && !count(traveller.round()) {
		}
		return nil
	})
	if _, err := j.collections[0].DeleteMany(j.t.Context(), bson.D{}); err != nil {
		j.t.Error(err)
	}
	return sum
}

// A traveller knows what he wrote and what he has seen of his neighbour's.
type traveller struct {
	j         *journey
	user      int
	token     bool
	text      string // the token that he carries
	n         int    // what he wrote last
	neighbour int    // what he has seen
}

// round writes once and reads in the other places in turn: his own document, and the one that his neighbour writes.
func (u *traveller) round() (o outcome) {
	text, err := u.j.travel(u.user, u.n+1, u.text)
	if err != nil {
		o.unanswered, o.last = 1, err
		return o
	}
	u.n++
	u.carry(text)
	for stop := range stops {
		began := time.Now()
		got, text, err := u.j.arrive(1+stop%2, u.text, time.Minute, u.user, (u.user+1)%travellers)
		o.slowest = max(o.slowest, time.Since(began))
		if err != nil {
			o.unanswered, o.last = o.unanswered+1, err
			continue
		}
		u.carry(text)
		o.reads += 2
		if got[0] < u.n {
			o.missed++
		}
		if got[1] < u.neighbour {
			o.back++
		}
		u.neighbour = max(u.neighbour, got[1])
	}
	return o
}

func (u *traveller) carry(text string) {
	if u.token {
		u.text = text
	}
}

// travel writes n for the user in New York and returns the token.
func (j *journey) travel(user, n int, text string) (string, error) {
	ctx, session, err := j.session(0, text)
	if err != nil {
		return "", err
	}
	defer session.EndSession(context.Background())
	_, err = j.collections[0].UpdateOne(ctx, bson.D{{Key: "_id", Value: user}}, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: n}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return "", fmt.Errorf("write %d of user %d: %w", n, user, err)
	}
	return j.seal(session)
}

// session begins one in a place, with a token if there is one.
func (j *journey) session(place int, text string) (context.Context, *mongo.Session, error) {
	session, err := j.collections[place].Database().Client().StartSession()
	if err != nil || text == "" {
		return mongo.NewSessionContext(j.t.Context(), session), session, err
	}
	token, err := consistency.OpenToken(j.taker, text, time.Now(), consistency.Limits{})
	if err == nil {
		err = token.Advance(session)
	}
	if err != nil {
		session.EndSession(context.Background())
	}
	return mongo.NewSessionContext(j.t.Context(), session), session, err
}

func (j *journey) seal(session *mongo.Session) (string, error) {
	token, err := consistency.TokenOf(session, "NYC", time.Now())
	if err != nil {
		return "", err
	}
	return token.Seal(j.writer)
}

// arrive reads what the users have in a place, with a token if there is one, and returns the next token.
func (j *journey) arrive(place int, text string, bound time.Duration, users ...int) (got []int, next string, err error) {
	ctx, session, err := j.session(place, text)
	if err != nil {
		return nil, "", err
	}
	defer session.EndSession(context.Background())
	for _, user := range users {
		var doc struct{ N int }
		err := consistency.Within(ctx, bound, func(ctx context.Context) error {
			return ignoreMissing(j.collections[place].FindOne(ctx, bson.D{{Key: "_id", Value: user}}).Decode(&doc))
		})
		if err != nil {
			return nil, "", err
		}
		got = append(got, doc.N)
	}
	next, err = j.seal(session)
	return got, next, err
}

// gaveUp reads with a bound below the lag: the read ends in time, with the error that says why. A router may ask another member for a while, which is not
// behind; then it is tried again.
func (j *journey) gaveUp(t *testing.T) {
	const bound = heldBack / 3
	n := 1_000_000
	var text string
	var took time.Duration
	var gaveUp error
	testkit.EventuallyNil(t, testkit.Patience, "a read meets the member that is behind", func(context.Context) (err error) {
		n++
		if text, err = j.travel(0, n, ""); err != nil {
			return err
		}
		began := time.Now()
		if _, _, gaveUp = j.arrive(1, text, bound, 0); gaveUp == nil {
			return errors.New("another member answered")
		}
		took = time.Since(began)
		return nil
	})
	t.Logf("bound %s: after %s: %v", bound, took.Round(time.Millisecond), gaveUp)
	if !errors.Is(gaveUp, consistency.ErrNotCaughtUp) || hint.Of(gaveUp) == "" {
		t.Errorf("got %v, want ErrNotCaughtUp with a hint", gaveUp)
	}
	if took > bound+5*time.Second {
		t.Errorf("gave up after %s, want about %s", took, bound)
	}
	if got, _, err := j.arrive(1, text, time.Minute, 0); err != nil || got[0] != n {
		t.Errorf("with a longer bound: got %d, %v", got, err)
	}
}
