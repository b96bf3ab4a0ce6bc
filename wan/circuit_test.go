package wan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

// silent checks that nothing arrives on a connection for a while.
func silent(t testing.TB, conn net.Conn, d time.Duration) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(d))
	n, err := conn.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d bytes (%v), want silence", n, err)
	}
	_ = conn.SetReadDeadline(time.Time{})
}

func (n *Network) circuitCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.circuits)
}

// A stream that is cut and healed many times, in both and in single directions, loses, doubles and disorders nothing.
func TestCutsLoseNothing(t *testing.T) {
	o := threeCities()
	o.Scale = 0.05
	n := newNetwork(t, o)
	conn := dial(t, n, "NYC", frontOf(t, n, "nyc/LON", "LON", serve(t, echo)))
	const size = 8 << 20
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = byte(i * 7 / 5)
	}
	cutting, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	cuts := 0
	wg.Go(func() {
		for faults := []Fault{Cut{From: "NYC", To: "LON"}, Cut{From: "NYC", To: "LON", OneWay: true}, Cut{From: "LON", To: "NYC", OneWay: true}, Isolate{DC: "LON"}}; ; cuts++ {
			f := faults[cuts%len(faults)]
			for _, act := range []func(Fault) error{n.Apply, n.Remove} {
				if err := act(f); err != nil {
					t.Error(err)
				}
				if !testkit.Pause(cutting, 10*time.Millisecond) {
					n.Heal()
					return
				}
			}
		}
	})
	wg.Go(func() {
		_, err := conn.Write(sent)
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		if err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(conn)
	stop()
	wg.Wait()
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes (%v), want the %d that were sent", len(got), err, size)
	}
	t.Logf("%d bytes there and back through %d cuts", size, cuts)
}

func TestCutOneWay(t *testing.T) {
	o := threeCities()
	o.Scale = 0.1
	n := newNetwork(t, o)
	heard := make(chan string, 10)
	conn := dial(t, n, "NYC", frontOf(t, n, "nyc/LON", "LON", serve(t, func(c net.Conn) {
		b := make([]byte, 4)
		for {
			if _, err := io.ReadFull(c, b); err != nil {
				return
			}
			heard <- string(b)
			_, _ = c.Write(b)
		}
	})))
	apply(t, n, "cut LON->NYC")
	_, _ = conn.Write([]byte("ping"))
	if got := <-heard; got != "ping" {
		t.Errorf("LON heard %q", got)
	}
	silent(t, conn, 50*time.Millisecond)
	n.Heal()
	b := make([]byte, 4)
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "ping" {
		t.Errorf("after healing: got %q (%v)", b, err)
	}
}

// While the link is cut a dial times out, as its context or its own timeout says; afterwards a dial that waits goes through.
func TestDialOverACutLink(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	apply(t, n, "cut LON->NYC")
	d := n.Dialer("NYC")
	d.Timeout = 50 * time.Millisecond
	_, err := d.DialContext(t.Context(), "tcp", addr)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("own timeout: got %v, want a timeout", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := n.Dialer("NYC").DialContext(ctx, "tcp", addr); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	testkit.Eventually(t, testkit.Patience, "abandoned connections are forgotten while the cut lasts", func() bool { return n.circuitCount() == 0 })

	dialled := make(chan error, 1)
	go func() {
		conn, err := n.Dialer("NYC").DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		dialled <- err
	}()
	testkit.Eventually(t, testkit.Patience, "the dial waits", func() bool { return n.circuitCount() == 1 })
	n.Heal()
	if err := <-dialled; err != nil {
		t.Errorf("after healing: %v", err)
	}
}

// A member that is down refuses, after a round trip.
func TestDialToADeadMember(t *testing.T) {
	n := newNetwork(t, threeCities())
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := frontOf(t, n, "nyc/LON", "LON", l.Addr().String())
	_ = l.Close()
	start := time.Now()
	_, err = n.Dialer("NYC").DialContext(t.Context(), "tcp", addr)
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want connection refused", err)
	}
	if took := time.Since(start); took < 76*time.Millisecond {
		t.Errorf("refused after %v, want a round trip", took)
	}
	if err := n.SetTarget("nyc/LON", serve(t, echo)); err != nil {
		t.Fatal(err)
	}
	ping(t, dial(t, n, "NYC", addr), 1)
}

// The server answers after it has seen the end of the request: half-close goes through, and both streams end in order.
func TestHalfClose(t *testing.T) {
	n := newNetwork(t, threeCities())
	conn := dial(t, n, "NYC", frontOf(t, n, "nyc/LON", "LON", serve(t, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		_, _ = c.Write(append(b, " answered"...))
	})))
	_, _ = conn.Write([]byte("request"))
	_ = conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "request answered" {
		t.Errorf("got %q (%v)", got, err)
	}
	_ = conn.Close()
	testkit.Eventually(t, testkit.Patience, "the connection is forgotten", func() bool { return n.circuitCount() == 0 })
}

// A reset of one end resets the other, not earlier than half a round trip later.
func TestResetTravels(t *testing.T) {
	n := newNetwork(t, threeCities())
	type sight struct {
		err error
		at  time.Time
	}
	seen := make(chan sight, 1)
	conn := dial(t, n, "NYC", frontOf(t, n, "nyc/LON", "LON", serve(t, func(c net.Conn) {
		_, err := io.Copy(io.Discard, c)
		seen <- sight{err, time.Now()}
	})))
	reset := time.Now()
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
	got := <-seen
	if !errors.Is(got.err, syscall.ECONNRESET) {
		t.Errorf("the member saw %v, want a reset", got.err)
	}
	if took := got.at.Sub(reset); took < oneWay {
		t.Errorf("the reset took %v, want half a round trip", took)
	}
	testkit.Eventually(t, testkit.Patience, "the connection is forgotten", func() bool { return n.circuitCount() == 0 })
}

func TestThousandConnections(t *testing.T) {
	o := threeCities()
	o.Scale = 0.5
	n := newNetwork(t, o)
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	const count = 1000
	conns := make([]net.Conn, count)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			conn, err := n.Dialer("NYC").DialContext(t.Context(), "tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = conn
			_, _ = conn.Write([]byte{byte(i), byte(i >> 8)})
			var b [2]byte
			if _, err := io.ReadFull(conn, b[:]); err != nil || int(b[0])|int(b[1])<<8 != i {
				t.Errorf("connection %d: got %v (%v)", i, b, err)
			}
		})
	}
	wg.Wait()
	if got := n.circuitCount(); got != count {
		t.Errorf("%d connections stand, want %d", got, count)
	}
	for _, conn := range conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
	testkit.Eventually(t, testkit.Patience, "all are forgotten", func() bool { return n.circuitCount() == 0 })
}

// Connections over one link share its bandwidth; those over another do not feel it.
func TestBandwidthIsShared(t *testing.T) {
	testkit.Measures(t)
	o := threeCities()
	o.Scale = 0.1
	n := newNetwork(t, o)
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }))
	apply(t, n, "bandwidth NYC LON 4MB/s")
	send := func(from string) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for range 4 {
			conn := dial(t, n, n.now.datacenters[map[string]int{"NYC": 0, "SYD": 2}[from]], addr)
			wg.Go(func() {
				_, _ = conn.Write(make([]byte, 500_000))
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.ReadAll(conn) // its end is the server's, who has seen ours
			})
		}
		wg.Wait()
		return time.Since(start)
	}
	limited, free := send("NYC"), send("SYD")
	t.Logf("4 x 500 kB: %v at 4 MB/s, %v over the other link", limited, free)
	if limited < 500*time.Millisecond {
		t.Errorf("2 MB at 4 MB/s took %v, want at least 500ms", limited)
	}
	if free > limited {
		t.Errorf("the unlimited link took %v, the limited one %v", free, limited)
	}
}

// A dialer built from the entries, as in another process, behaves as the network's own.
func TestDialerFromEntries(t *testing.T) {
	n := newNetwork(t, threeCities())
	server := serve(t, echo)
	addr := frontOf(t, n, "nyc/LON", "LON", server)
	d := NewDialer(n.Entries("NYC"))
	for target, least := range map[string]time.Duration{addr: 76 * time.Millisecond, server: 0} {
		conn, err := d.DialContext(t.Context(), "tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		if got := ping(t, conn, 1)[0]; got < least {
			t.Errorf("%s: ping %v, want %v", target, got, least)
		}
		_ = conn.Close()
	}
}

// Close ends everything, also connections that wait on a cut link, and a closed network says so.
func TestClose(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	conn := dial(t, n, "NYC", addr)
	apply(t, n, "cut NYC LON")
	failed := make(chan error, 1)
	go func() {
		_, err := n.Dialer("NYC").DialContext(context.Background(), "tcp", addr)
		failed <- err
	}()
	testkit.Eventually(t, testkit.Patience, "the dial waits", func() bool { return n.circuitCount() == 2 })
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection survived Close")
	}
	if err := <-failed; err == nil {
		t.Error("a dial succeeded after Close")
	}
	if err := n.Apply(Isolate{DC: "NYC"}); !errors.Is(err, ErrClosed) {
		t.Errorf("apply: got %v, want ErrClosed", err)
	}
	if _, err := n.Front("x", "NYC", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("front: got %v, want ErrClosed", err)
	}
}
