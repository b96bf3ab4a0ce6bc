package wan

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// threeCities is the world of the preset nyc-lon-syd.
func threeCities() Options {
	link := func(a, b topology.DatacenterID, rtt time.Duration) topology.Link {
		return topology.Link{Between: [2]topology.DatacenterID{a, b}, RTT: rtt}
	}
	return Options{
		Datacenters: []topology.DatacenterID{"NYC", "LON", "SYD"},
		Links: []topology.Link{
			link("NYC", "LON", 76*time.Millisecond), link("NYC", "SYD", 200*time.Millisecond), link("LON", "SYD", 265*time.Millisecond),
		},
	}
}

func newNetwork(t testing.TB, o Options) *Network {
	t.Helper()
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// serve runs a server on 127.0.0.1 until the test ends, and returns its address.
func serve(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []chan struct{}
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			over := make(chan struct{})
			conns = append(conns, over)
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			go func() {
				defer close(over)
				defer stop()
				defer conn.Close()
				handle(conn)
			}()
		}
		for _, over := range conns {
			<-over
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		<-done
	})
	return l.Addr().String()
}

func echo(conn net.Conn) { _, _ = io.Copy(conn, conn) }

func frontOf(t testing.TB, n *Network, member string, dc topology.DatacenterID, target string) string {
	t.Helper()
	addr, err := n.Front(member, dc, target)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func dial(t testing.TB, n *Network, from topology.DatacenterID, addr string) net.Conn {
	t.Helper()
	conn, err := n.Dialer(from).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func apply(t testing.TB, n *Network, text string) {
	t.Helper()
	f, err := ParseFault(text)
	if err == nil {
		err = n.Apply(f)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func ping(t testing.TB, conn net.Conn, count int) []time.Duration {
	t.Helper()
	var took []time.Duration
	b := make([]byte, 64)
	for range count {
		start := time.Now()
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

func TestConnectAndPing(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	start := time.Now()
	conn := dial(t, n, "NYC", addr)
	t.Logf("connect NYC-LON %v", time.Since(start))
	if took := time.Since(start); took < 76*time.Millisecond {
		t.Errorf("connect took %v, want a round trip of 76ms", took)
	}
	for _, took := range ping(t, conn, 5) {
		t.Logf("ping %v", took)
		if took < 76*time.Millisecond {
			t.Errorf("ping took %v, want 76ms", took)
		}
	}
}
