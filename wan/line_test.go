package wan

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A tube is one line from NYC to LON in virtual time, between a writer and a record of what came out when.
type tube struct {
	n     *Network
	in    *io.PipeWriter
	line  *line
	start time.Time

	mu      sync.Mutex
	arrived []arrival // guarded by mu
	end     ending    // guarded by mu: how it ended, if it did
}

type arrival struct {
	at   time.Duration
	data string
}

func (u *tube) Write(b []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.arrived = append(u.arrived, arrival{time.Since(u.start), string(b)})
	return len(b), nil
}

func (u *tube) got() []arrival {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]arrival(nil), u.arrived...)
}

func (u *tube) send(t *testing.T, data string) {
	t.Helper()
	if _, err := io.WriteString(u.in, data); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func (u *tube) want(t *testing.T, want ...arrival) {
	t.Helper()
	got := u.got()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("arrival %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

// inTube runs a story in a bubble of virtual time.
func inTube(t *testing.T, story func(t *testing.T, u *tube)) {
	synctest.Test(t, func(t *testing.T) {
		n, err := start(threeCities(), newTimerSleeper)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		done := make(chan struct{})
		r, w := io.Pipe()
		u := &tube{n: n, in: w, start: time.Now()}
		u.line = newLine(func() view { return n.view(0, 1, "m") }, n.alarm, done)
		u.line.open(time.Now())
		var wg sync.WaitGroup
		wg.Go(func() { u.line.fill(r, func([]byte) {}) })
		wg.Go(func() {
			end, err := u.line.deliver(u)
			if err == nil {
				u.mu.Lock()
				u.end = end
				u.mu.Unlock()
			}
		})
		story(t, u)
		close(done)
		_ = r.Close()
		wg.Wait()
	})
}

const oneWay = 38 * time.Millisecond

func TestLineDelaysByHalfTheRoundTrip(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		u.send(t, "a")
		time.Sleep(10 * time.Millisecond)
		u.send(t, "b")
		time.Sleep(time.Second)
		u.send(t, "c")
		time.Sleep(time.Second)
		u.want(t, arrival{oneWay, "a"}, arrival{10*time.Millisecond + oneWay, "b"}, arrival{1010*time.Millisecond + oneWay, "c"})
	})
}

// A link that gets faster does not let new bytes overtake old ones; one that gets slower keeps what was on its way on time.
func TestLineKeepsOrderWhenDelayChanges(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		u.send(t, "a")
		apply(t, u.n, "delay NYC LON 2ms")
		u.send(t, "b")
		apply(t, u.n, "slow NYC LON 100")
		u.send(t, "c")
		time.Sleep(time.Second)
		u.want(t, arrival{oneWay, "a"}, arrival{oneWay, "b"}, arrival{100 * time.Millisecond, "c"})
	})
}

// A cut holds what is on its way and what is sent meanwhile; both cross the link once more from the healing on.
func TestLineHoldsBytesWhileCut(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		u.send(t, "on its way ")
		time.Sleep(20 * time.Millisecond)
		apply(t, u.n, "cut NYC->LON")
		time.Sleep(time.Minute)
		u.send(t, "sent while cut ")
		time.Sleep(time.Minute)
		u.want(t)
		u.n.Heal()
		healed := time.Since(u.start)
		u.send(t, "after")
		time.Sleep(time.Second)
		u.want(t, arrival{healed + oneWay, "on its way "}, arrival{healed + oneWay, "sent while cut "}, arrival{healed + oneWay, "after"})
	})
}

func TestLineIgnoresACutOfTheOtherDirection(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		apply(t, u.n, "cut LON->NYC")
		u.send(t, "a")
		time.Sleep(time.Second)
		u.want(t, arrival{oneWay, "a"})
	})
}

// Removing one of two cuts of a link does not heal it.
func TestLineStaysCutUntilTheLastCutEnds(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		apply(t, u.n, "isolate LON")
		apply(t, u.n, "cut NYC LON")
		u.send(t, "a")
		if err := u.n.Remove(Isolate{DC: "LON"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		u.want(t)
		if err := u.n.Remove(Cut{From: "LON", To: "NYC"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		u.want(t, arrival{time.Second + oneWay, "a"})
	})
}

func TestLineEndsInOrder(t *testing.T) {
	for name, test := range map[string]struct {
		close error
		want  ending
	}{"FIN": {nil, shut}, "RST": {errors.New("connection reset"), aborted}} {
		t.Run(name, func(t *testing.T) {
			inTube(t, func(t *testing.T, u *tube) {
				u.send(t, "last words")
				_ = u.in.CloseWithError(test.close) // nil means EOF
				time.Sleep(oneWay - time.Nanosecond)
				u.want(t)
				time.Sleep(time.Nanosecond)
				u.want(t, arrival{oneWay, "last words"})
				u.mu.Lock()
				defer u.mu.Unlock()
				if u.end != test.want {
					t.Errorf("ended by %v, want %v", u.end, test.want)
				}
			})
		})
	}
}

// 1 MB at 1 MB/s takes a second and the delay, arrives evenly, and a higher rate applies to what is queued already.
func TestLineObeysBandwidth(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		apply(t, u.n, "bandwidth NYC LON 1MB/s")
		u.send(t, string(bytes.Repeat([]byte{'x'}, 1_000_000)))
		time.Sleep(oneWay + 500*time.Millisecond)
		half := u.got()
		bytes := 0
		for _, a := range half {
			bytes += len(a.data)
		}
		if bytes < 480_000 || bytes > 500_000 {
			t.Errorf("after half a second: got %d bytes, want 500,000 less one slice", bytes)
		}
		apply(t, u.n, "bandwidth NYC LON 10MB/s")
		time.Sleep(time.Second)
		all := u.got()
		end := all[len(all)-1].at - oneWay
		if end < 545*time.Millisecond || end > 560*time.Millisecond {
			t.Errorf("the rest at 10 MB/s: ended after %v, want some 550ms", end)
		}
		t.Logf("%d writes, %d bytes by half-time, end at %v", len(all), bytes, end)
	})
}

// A sender is blocked once the line holds its bound, and goes on when bytes leave.
func TestLineIsBounded(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		apply(t, u.n, "cut NYC LON")
		sent := make(chan int, 1)
		go func() {
			n, _ := u.in.Write(make([]byte, 3*maxInFlight))
			sent <- n
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		u.line.mu.Lock()
		held := u.line.bytes
		u.line.mu.Unlock()
		if held > maxInFlight || held < maxInFlight-maxRead {
			t.Errorf("held %d bytes, want the bound %d", held, maxInFlight)
		}
		select {
		case <-sent:
			t.Error("the sender was not blocked")
		default:
		}
		u.n.Heal()
		time.Sleep(time.Second)
		if got := <-sent; got != 3*maxInFlight {
			t.Errorf("sent %d bytes, want %d", got, 3*maxInFlight)
		}
		total := 0
		for _, a := range u.got() {
			total += len(a.data)
		}
		if total != 3*maxInFlight {
			t.Errorf("got %d bytes, want %d", total, 3*maxInFlight)
		}
	})
}

// Lag comes on top of the delay and ends at once for what it held.
func TestLineLag(t *testing.T) {
	inTube(t, func(t *testing.T, u *tube) {
		u.n.mu.Lock()
		u.n.fronts["m"] = &front{member: "m"} // without its listeners: they would stop virtual time
		u.n.mu.Unlock()
		apply(t, u.n, "lag m 5s")
		u.send(t, "a")
		time.Sleep(time.Second)
		u.send(t, "b")
		time.Sleep(5 * time.Second) // a is out, b is not
		u.want(t, arrival{5*time.Second + oneWay, "a"})
		u.n.Heal()
		u.want(t, arrival{5*time.Second + oneWay, "a"}, arrival{6 * time.Second, "b"})
	})
}

// A line that has seen the end of its stream, or whose connection is over, lets go of whoever fills it.
func TestLineCollectsBeforeItIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := start(threeCities(), newTimerSleeper)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		done := make(chan struct{})
		u := &tube{n: n, start: time.Now()}
		u.line = newLine(func() view { return n.view(0, 1, "") }, n.alarm, done)
		u.line.fill(bytes.NewBufferString("early"), func([]byte) {})
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = u.line.deliver(u) })
		time.Sleep(time.Second)
		u.want(t)
		u.line.open(time.Now())
		time.Sleep(time.Second)
		u.want(t, arrival{time.Second + oneWay, "early"}) // as if sent when the connection stood
		close(done)
		wg.Wait()
	})
}
