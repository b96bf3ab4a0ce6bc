package wan

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
)

// idleTimer is how late the runtime's timers are on an idle Linux.
const idleTimer = 1500 * time.Microsecond

// relay is the least that can stand between a client and a server: what it costs is the machine's, not ours.
func relay(t testing.TB, server string) string {
	return serve(t, func(near net.Conn) {
		far, err := net.Dial("tcp4", server)
		if err != nil {
			return
		}
		defer far.Close()
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
	})
}

// slowEcho is a server that answers each ping after a while.
func slowEcho(t testing.TB, after time.Duration) string {
	return serve(t, func(conn net.Conn) {
		b := make([]byte, 64)
		for {
			if _, err := io.ReadFull(conn, b); err != nil || !testkit.Pause(t.Context(), after) {
				return
			}
			_, _ = conn.Write(b)
		}
	})
}

// Inside a datacenter a front costs at most 1 ms: in its best case above a direct connection, and in the median above a plain relay, turn
// about, since a busy machine wakes that as late as it wakes us.
func TestInsideADatacenterNothingIsDelayed(t *testing.T) {
	testkit.Measures(t)
	n := newNetwork(t, threeCities())
	server := serve(t, echo)
	ways := []net.Conn{dial(t, n, "NYC", server), dial(t, n, "NYC", relay(t, server)), dial(t, n, "NYC", frontOf(t, n, "s/NYC", "NYC", server))}
	took := make([][]time.Duration, len(ways))
	for range 500 {
		for i, conn := range ways {
			took[i] = append(took[i], ping(t, conn, 1)...)
		}
	}
	direct, plain, inside := summary(took[0]), summary(took[1]), summary(took[2])
	t.Logf("direct %v, a plain relay %v, a front %v", direct, plain, inside)
	if over := inside.min - direct.min; over > time.Millisecond {
		t.Errorf("%v above a direct connection at best, want at most 1ms", over)
	}
	if over := inside.p50 - plain.p50; over > time.Millisecond {
		t.Errorf("%v above a plain relay in the median, want at most 1ms", over)
	}
}

// What a TCP client sees between datacenters is never less than the declared round trip, and within 5 % + 1 ms of it: at best, and in the median too,
// compared with what it sees at the same moments through a front without delay, from a server that answers after as long. By what the
// machine adds to that one it may be off once more.
func TestRoundTripsAreAccurate(t *testing.T) {
	testkit.Measures(t)
	n := newNetwork(t, threeCities())
	server := serve(t, echo)
	fronts := map[topology.DatacenterID]string{}
	for _, dc := range n.now.datacenters {
		fronts[dc] = frontOf(t, n, "s/"+string(dc), dc, server)
	}
	measure := func(label string, clients, pings int) {
		var links sync.WaitGroup
		for _, l := range threeCities().Links {
			name := fmt.Sprintf("%s-%s %s", l.Between[0], l.Between[1], label)
			still := frontOf(t, n, name, l.Between[0], slowEcho(t, l.RTT))
			links.Go(func() {
				got, want := sideBySide(t, n, l, fronts[l.Between[1]], still, clients, pings)
				if t.Failed() {
					return
				}
				t.Logf("%s: declared %v, %d pings %v, a server as slow %v", name, l.RTT, clients*pings, got, want)
				if wrong := inaccurate(l.RTT, got, want); wrong != "" {
					t.Errorf("%s: %s", name, wrong)
				}
			})
		}
		links.Wait()
	}
	measure("alone", 1, testkit.Count(t, "pings over each link", 25, 200))
	measure("50 clients", 50, 4)
}

// A link that is 15 % longer than it says is noticed by the rule of TestRoundTripsAreAccurate.
func TestAWrongRoundTripIsNoticed(t *testing.T) {
	testkit.Measures(t)
	wrong := threeCities()
	longest := slices.MaxFunc(wrong.Links, func(a, b topology.Link) int { return cmp.Compare(a.RTT, b.RTT) })
	for i := range wrong.Links {
		wrong.Links[i].RTT += wrong.Links[i].RTT * 15 / 100
	}
	n := newNetwork(t, wrong)
	far := frontOf(t, n, "s/far", longest.Between[1], serve(t, echo))
	still := frontOf(t, n, "s/near", longest.Between[0], slowEcho(t, longest.RTT))
	got, want := sideBySide(t, n, longest, far, still, 1, 10)
	said := inaccurate(longest.RTT, got, want)
	t.Logf("declared %v, pings %v, a server as slow %v: %s", longest.RTT, got, want, said)
	if said == "" {
		t.Error("nothing was said of a link that is 15 % too long")
	}
}

// sideBySide pings, at the same moments, through a delayed front and through one without delay to a server that is as slow.
func sideBySide(t *testing.T, n *Network, l topology.Link, far, still string, clients, pings int) (delayed, control spread) {
	t.Helper()
	var mu sync.Mutex
	var took [2][]time.Duration
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			// Spread over a round trip, as clients are: in step, they would measure how fast this machine
			// wakes all of them at one moment.
			testkit.Pause(t.Context(), l.RTT*time.Duration(i)/time.Duration(clients))
			var both sync.WaitGroup
			for i, addr := range []string{far, still} {
				both.Go(func() {
					conn, err := n.Dialer(l.Between[0]).DialContext(t.Context(), "tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					defer conn.Close()
					pinged := ping(t, conn, pings)
					mu.Lock()
					defer mu.Unlock()
					took[i] = append(took[i], pinged...)
				})
			}
			both.Wait()
		})
	}
	all.Wait()
	if t.Failed() {
		return spread{}, spread{}
	}
	return summary(took[0]), summary(took[1])
}

// inaccurate says what is wrong with round trips beside those of a control, "" when nothing is.
func inaccurate(rtt time.Duration, got, control spread) string {
	if got.min < rtt {
		return fmt.Sprintf("a ping took %v, want at least %v", got.min, rtt)
	}
	bound := rtt/20 + time.Millisecond + idleTimer + control.p50 - rtt
	for what, off := range map[string]time.Duration{"at best": got.min - control.min, "in the median": got.p50 - control.p50} {
		if off.Abs() > bound {
			return fmt.Sprintf("%s %v off a server that is as slow, want at most %v", what, off, bound)
		}
	}
	return ""
}

type spread struct{ min, p50, p95, max time.Duration }

func summary(took []time.Duration) spread {
	slices.Sort(took)
	return spread{took[0], took[len(took)/2], took[len(took)*95/100], took[len(took)-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("p50 %v p95 %v max %v", s.p50.Round(10*time.Microsecond), s.p95.Round(10*time.Microsecond), s.max.Round(10*time.Microsecond))
}

// A connection through a front pays for the handshake with its first bytes, once.
func TestFirstBytesThroughAFrontPayTheHandshake(t *testing.T) {
	n := newNetwork(t, threeCities())
	c := startChild(t)
	if err := n.Register(c.pid, "NYC", ""); err != nil {
		t.Fatal(err)
	}
	front := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	began := time.Now() // the handshake begins with the connect, not with the first bytes
	c.connect(t, front)
	c.ping(t)
	first, second := time.Since(began), c.ping(t)
	for range 9 {
		second = min(second, c.ping(t))
	}
	t.Logf("first answer %v after the connect, a later one %v", first, second)
	if first < 2*76*time.Millisecond || second < 76*time.Millisecond || second > first-50*time.Millisecond {
		t.Errorf("first answer after %v, a later one after %v, want two round trips and one", first, second)
	}
}
