package wan

import (
	"context"
	"errors"
	"maps"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/geoshard/geoshard/internal/testkit"
)

type (
	findOwners  = func(context.Context, []socketPair, []int32) (map[socketPair]int32, error)
	findSockets = func([]socketPair) (map[uint32]socketPair, error)
)

// by is the finder with one way to find sockets, and without a memory.
func by(sockets findSockets) findOwners {
	return func(_ context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
		wanted, err := sockets(pairs)
		return new(finder).search(wanted, pids), err
	}
}

// connection is the child's last one, to a front.
func connection(t testing.TB, c *child, front string) socketPair {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp4", front)
	if err != nil {
		t.Fatal(err)
	}
	return socketPair{client: c.port, front: uint32(addr.Port)}
}

// ownConnection is a connection of this process, which is not registered.
func ownConnection(t testing.TB, addr string) socketPair {
	t.Helper()
	conn, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return socketPair{client: uint32(conn.LocalAddr().(*net.TCPAddr).Port), front: uint32(conn.RemoteAddr().(*net.TCPAddr).Port)}
}

// All ways to find owners agree, also where a sandbox refuses netlink.
func TestOwnersAgree(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	var pids []int32
	var pairs []socketPair
	for range 3 {
		c := startChild(t)
		c.connect(t, addr)
		pids, pairs = append(pids, int32(c.pid)), append(pairs, connection(t, c, addr))
	}
	check := func(name string, find findOwners) {
		got, err := find(t.Context(), pairs, pids)
		if seen := slices.Sorted(maps.Values(got)); err != nil || !slices.Equal(seen, slices.Sorted(slices.Values(pids))) {
			t.Errorf("%s: got owners %v (%v), want %v", name, seen, err, pids)
		}
		if got, _ := find(t.Context(), pairs, pids[:1]); len(got) != 1 {
			t.Errorf("%s: with one process registered: got %v", name, got)
		}
	}
	check("kernel", by(socketsFromKernel))
	check("table", by(socketsFromTable))
	check("list", ownersFromList)
	check("as it is", new(finder).owners)
	for _, why := range []unix.Errno{unix.EPERM, unix.EPROTONOSUPPORT, unix.EAFNOSUPPORT} {
		refuseNetlink(t, why, func() {
			if _, err := socketsFromKernel(pairs); !errors.Is(err, why) {
				t.Errorf("netlink refused: got %v, want %v", err, why)
			}
			check("refused with "+why.Error(), new(finder).owners)
		})
	}
}

// A connection that is gone has no owner. Where our own end is not there either, the kernel knows no TCP here: that is an error, for then the
// table has to be read.
func TestSocketsThatAreGone(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listening := uint32(l.Addr().(*net.TCPAddr).Port)
	const nobody = 1
	for name, pair := range map[string]socketPair{
		"the front listens":                    {client: nobody, front: listening},
		"what listens has the client's number": {client: listening, front: nobody},
	} {
		if got, err := socketsFromKernel([]socketPair{pair}); err != nil || len(got) > 0 {
			t.Errorf("%s: got %v (%v), want none", name, got, err)
		}
	}
	if _, err := socketsFromKernel([]socketPair{{client: nobody, front: nobody + 1}}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("neither end: got %v, want ENOENT", err)
	}
}

// What the finder remembers is an order: a descriptor that was another connection before is found all the same.
func TestDescriptorGivenAnew(t *testing.T) {
	n := newNetwork(t, threeCities())
	addr := frontOf(t, n, "nyc/LON", "LON", serve(t, echo))
	c := startChild(t)
	pids := []int32{int32(c.pid)}
	var f finder
	find := func(pair socketPair) map[socketPair]int32 {
		got, err := f.owners(t.Context(), []socketPair{pair}, pids)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	c.connect(t, addr)
	if got := find(ownConnection(t, addr)); len(got) > 0 {
		t.Errorf("our own connection: got %v", got)
	}
	for range 3 {
		c.do(t, "reconnect "+addr)
		pair := connection(t, c, addr)
		if got := find(pair); got[pair] != pids[0] {
			t.Errorf("got %v, want %v of %d", got, pair, pids[0])
		}
	}
	pids = nil
	if find(ownConnection(t, addr)); len(f.others) > 0 {
		t.Errorf("descriptors of %d processes are remembered that are not registered any more", len(f.others))
	}
}

// A crowd is 15 registered processes, as a cluster of three shards has, with some 2,000 sockets: each connection has one at the client, two in the
// network and one at the server.
type crowd struct {
	addr     string
	children []*child
	pids     []int32
}

func newCrowd(t testing.TB) crowd {
	n := newNetwork(t, threeCities())
	c := crowd{addr: frontOf(t, n, "nyc/LON", "LON", serve(t, echo))}
	for range 15 {
		one := startChild(t)
		for range 33 {
			one.connect(t, c.addr)
		}
		one.ping(t)
		c.children = append(c.children, one)
		c.pids = append(c.pids, int32(one.pid))
	}
	return c
}

// connect lets one of them open another connection, and returns it once it is carried.
func (c crowd) connect(t testing.TB, i int) socketPair {
	t.Helper()
	one := c.children[i%len(c.children)]
	one.connect(t, c.addr)
	one.ping(t)
	return connection(t, one, c.addr)
}

// measure is how long each way takes to find one connection.
func (c crowd) measure(t testing.TB, pair socketPair, ways ...findOwners) []time.Duration {
	t.Helper()
	var took []time.Duration
	for _, find := range ways {
		start := time.Now()
		if _, err := find(t.Context(), []socketPair{pair}, c.pids); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	return took
}

func medians(rounds [][]time.Duration) []time.Duration {
	var m []time.Duration
	for way := range rounds[0] {
		var took []time.Duration
		for _, round := range rounds {
			took = append(took, round[way])
		}
		m = append(m, summary(took).p50)
	}
	return m
}

// Finding the owner of a new connection costs a fraction of reading the table of all sockets, turn about in one run.
func TestOwnerWithoutTheTable(t *testing.T) {
	testkit.Measures(t)
	c := newCrowd(t)
	var f finder
	var rounds [][]time.Duration
	for i := range 30 {
		pair := c.connect(t, i)
		rounds = append(rounds, c.measure(t, pair, f.owners, by(socketsFromTable)))
	}
	m := medians(rounds)
	t.Logf("a look takes %v, by the table %v", m[0], m[1])
	if m[0] > m[1]/3 {
		t.Errorf("a look takes %v, want at most a third of the %v by the table", m[0], m[1])
	}
}

// What finding a source costs, beside reading the table, and beside a list of all sockets. The worst case is a connection that
// none of the processes owns.
func BenchmarkFindSource(b *testing.B) {
	c := newCrowd(b)
	own := ownConnection(b, c.addr)
	var f finder
	var rounds, unknown [][]time.Duration
	for b.Loop() {
		pair := c.connect(b, len(rounds))
		rounds = append(rounds, c.measure(b, pair, f.owners, by(socketsFromTable), ownersFromList))
		unknown = append(unknown, c.measure(b, own, f.owners, by(socketsFromTable)))
	}
	m, u := medians(rounds), medians(unknown)
	b.ReportMetric(m[0].Seconds()*1e3, "ms/look")
	b.ReportMetric(float64(m[1])/float64(m[0]), "table/look")
	b.ReportMetric(float64(m[2])/float64(m[0]), "list/look")
	b.ReportMetric(u[0].Seconds()*1e3, "ms/unknown")
	b.ReportMetric(float64(u[1])/float64(u[0]), "table/unknown")
}

// refuseNetlink lets a function run where a sandbox refuses every netlink socket.
func refuseNetlink(t *testing.T, because unix.Errno, run func()) {
	t.Helper()
	const numberAt, familyAt = 0, 16 // in seccomp_data, on a machine that puts the least byte first
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: numberAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SOCKET, SkipTrue: 3},
		bpf.LoadAbsolute{Off: familyAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(because)},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		t.Fatal(err)
	}
	program := make([]unix.SockFilter, len(filter))
	for i, in := range filter {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread, which alone is refused, ends here
		err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if err == nil {
			_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})))
			if errno != 0 {
				err = errno
			}
		}
		if err == nil {
			run()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("refuse netlink: %v", err)
	}
}
