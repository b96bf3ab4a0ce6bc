package wan

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/internal/testkit"
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

// runChild is another process that obeys: "connect ADDR", "reconnect ADDR" (in place of its last connection) and "ping", one answer each.
func runChild() {
	var conn net.Conn // the last one
	var kept []net.Conn
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		words := strings.Fields(in.Text())
		start := time.Now()
		var err error
		switch words[0] {
		case "connect", "reconnect":
			if words[0] == "reconnect" {
				_ = conn.Close()
			}
			conn, err = net.Dial("tcp4", words[1])
			kept = append(kept, conn)
		case "ping":
			b := make([]byte, 64)
			if _, err = conn.Write(b); err == nil {
				_, err = io.ReadFull(conn, b)
			}
		}
		port := 0
		if err == nil {
			port = conn.LocalAddr().(*net.TCPAddr).Port
		}
		fmt.Println(time.Since(start), port, err)
	}
	runtime.KeepAlive(kept)
}

// A child is another process that connects to fronts.
type child struct {
	pid  int
	in   io.Writer
	out  *bufio.Reader
	port uint32 // at its end of its last connection
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
	var took, problem string
	if _, perr := fmt.Sscan(answer, &took, &c.port, &problem); err != nil || perr != nil || problem != "<nil>" {
		t.Fatalf("%s: got %q (%v)", command, answer, err)
	}
	d, err := time.ParseDuration(took)
	if err != nil {
		t.Fatal(err)
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
		if got := c.ping(t); got < want {
			t.Errorf("from %q: ping took %v, want %v", dc, got, want)
		}
		n.mu.Lock()
		for one := range n.circuits {
			if uint32(one.near.RemoteAddr().(*net.TCPAddr).Port) != c.port {
				continue
			}
			wanted := route{from: n.index(cmp.Or(dc, "LON")), known: dc != ""}
			if got := *one.route.Load(); got != wanted {
				t.Errorf("from %q: the route is %+v, want %+v", dc, got, wanted)
			}
		}
		n.mu.Unlock()
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
	testkit.Eventually(t, testkit.Patience, "the connection is moved", func() bool { return c.ping(t) >= 76*time.Millisecond })
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
	testkit.Eventually(t, testkit.Patience, "the connection is forgotten", func() bool { return n.circuitCount() == 0 })
}
