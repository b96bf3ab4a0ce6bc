package wan

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/topology"
)

const childVariable = "GEOSHARD_WAN_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		runChild()
		return
	}
	goleak.VerifyTestMain(m)
}

// runChild is another process that obeys: "connect ADDR" and "ping", one answer each.
func runChild() {
	var conn net.Conn
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		start := time.Now()
		var err error
		switch words[0] {
		case "connect":
			conn, err = net.Dial("tcp4", words[1])
		case "ping":
			b := make([]byte, 64)
			if _, err = conn.Write(b); err == nil {
				_, err = io.ReadFull(conn, b)
			}
		}
		fmt.Println(time.Since(start), err)
	}
}

// A child is another process that connects to fronts.
type child struct {
	pid int
	in  io.Writer
	out *bufio.Reader
}

func startChild(t testing.TB) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &child{pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
}

func (c *child) do(t testing.TB, command string) time.Duration {
	t.Helper()
	fmt.Fprintln(c.in, command)
	answer, err := c.out.ReadString('\n')
	took, rest, _ := strings.Cut(strings.TrimSpace(answer), " ")
	d, perr := time.ParseDuration(took)
	if err != nil || perr != nil || rest != "<nil>" {
		t.Fatalf("%s: got %q (%v)", command, answer, err)
	}
	return d
}

func (c *child) connect(t testing.TB, addr string) { t.Helper(); c.do(t, "connect "+addr) }
func (c *child) ping(t testing.TB) time.Duration   { t.Helper(); return c.do(t, "ping") }

// The link of a connection follows from the process that opened it; a process that nobody registered is as in the member's own datacenter.
func TestSourceIsTheOwningProcess(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	for dc, want := range map[topology.DatacenterID]time.Duration{"NYC": 76 * time.Millisecond, "SYD": 265 * time.Millisecond, "LON": 0, "": 0} {
		c := startChild(t)
		if dc != "" {
			if err := n.Register(c.pid, dc, ""); err != nil {
				t.Fatal(err)
			}
		}
		c.connect(t, addr)
		c.ping(t)
		got := min(c.ping(t), c.ping(t), c.ping(t))
		if got < want || got > want+38*time.Millisecond {
			t.Errorf("from %q: ping took %v, want %v", dc, got, want)
		}
	}
}

// A process that is registered after it has connected is moved to its link.
func TestLateRegistration(t *testing.T) {
	n := newNetwork(t, threeCities())
	c := startChild(t)
	c.connect(t, frontOf(t, n, "nyc/LON", "LON", serve(t, echo)))
	t.Logf("unregistered: %v", c.ping(t))
	if err := n.Register(c.pid, "NYC", "nyc/NYC"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is moved", func() bool { return c.ping(t) >= 76*time.Millisecond })
}

// A child that is killed closes its connection at the member.
func TestKilledProcessCloses(t *testing.T) {
	n := newNetwork(t, threeCities())
	over := make(chan error, 1)
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, func(conn net.Conn) {
		b := make([]byte, 64)
		_, _ = io.ReadFull(conn, b)
		_, _ = conn.Write(b)
		_, err := conn.Read(b)
		over <- err
	}))
	c := startChild(t)
	c.connect(t, addr)
	c.ping(t)
	p, err := os.FindProcess(c.pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Kill()
	if err := <-over; err == nil {
		t.Error("the member read bytes from a dead process")
	}
	eventually(t, "the connection is forgotten", func() bool { return n.circuitCount() == 0 })
}

// What finding a source costs, against a list of all sockets: 15 registered processes, as a cluster of three shards has, and 300 connections.
func BenchmarkFindSource(b *testing.B) {
	n := newNetwork(b, threeCities())
	addr := frontOf(b, n, "nyc/LON", "LON", serve(b, echo))
	var pids []int32
	for range 15 {
		c := startChild(b)
		for range 20 {
			c.connect(b, addr)
		}
		c.ping(b)
		pids = append(pids, int32(c.pid))
	}
	// The worst case: the connection exists, and none of the processes owns it.
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	pairs := []socketPair{{client: uint32(conn.LocalAddr().(*net.TCPAddr).Port), front: uint32(conn.RemoteAddr().(*net.TCPAddr).Port)}}
	measure := func(find func(context.Context, []socketPair, []int32) (map[socketPair]int32, error)) time.Duration {
		start := time.Now()
		if _, err := find(b.Context(), pairs, pids); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var ours, list time.Duration
	for range b.N {
		ours += measure(owners)
		list += measure(ownersFromList)
	}
	b.ReportMetric(float64(ours)/float64(b.N)/1e6, "ms/look")
	b.ReportMetric(float64(list)/float64(ours), "list/look")
}

// Both ways to find owners agree.
func TestOwnersAgree(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	var pids []int32
	for range 3 {
		c := startChild(t)
		c.connect(t, addr)
		c.ping(t)
		pids = append(pids, int32(c.pid))
	}
	var pairs []socketPair
	n.mu.Lock()
	for c := range n.circuits {
		pairs = append(pairs, socketPair{client: uint32(c.near.RemoteAddr().(*net.TCPAddr).Port), front: c.front.port})
	}
	n.mu.Unlock()
	for name, find := range map[string]func(context.Context, []socketPair, []int32) (map[socketPair]int32, error){"owners": owners, "list": ownersFromList} {
		got, err := find(t.Context(), pairs, pids)
		if err != nil || len(got) != 3 {
			t.Errorf("%s: got %v (%v), want 3 owners", name, got, err)
		}
		var seen []int32
		for _, pid := range got {
			seen = append(seen, pid)
		}
		slices.Sort(seen)
		slices.Sort(pids)
		if !slices.Equal(seen, pids) {
			t.Errorf("%s: got owners %v, want %v", name, seen, pids)
		}
		if got, _ := find(t.Context(), pairs, pids[:1]); len(got) != 1 {
			t.Errorf("%s: with one process registered: got %v", name, got)
		}
	}
}
