package wan

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
)

// One request and answer of 64 bytes through a front inside a datacenter, against a direct connection, turn about in one run.
func BenchmarkHopLatency(b *testing.B) {
	n := newNetwork(b, threeCities())
	server := serve(b, echo)
	through := dial(b, n, "LON", frontOf(b, n, "nyc/LON", "LON", server))
	direct := dial(b, n, "LON", server)
	var hop, plain time.Duration
	for range b.N {
		hop += ping(b, through, 1)[0]
		plain += ping(b, direct, 1)[0]
	}
	b.ReportMetric(float64(hop)/float64(plain), "front/direct")
	b.ReportMetric(float64(hop-plain)/float64(b.N)/1e3, "added-µs")
}

// 64 MiB in one direction through a front inside a datacenter and over a 76 ms link, against a direct connection.
func BenchmarkThroughput(b *testing.B) {
	n := newNetwork(b, threeCities())
	server := serve(b, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	addr := frontOf(b, n, "nyc/LON", "LON", server)
	const size = 64 << 20
	block := make([]byte, 1<<20)
	send := func(conn net.Conn) time.Duration {
		start := time.Now()
		for range size / len(block) {
			if _, err := conn.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		_, _ = io.ReadAll(conn) // the server's end: it has read everything
		return time.Since(start)
	}
	var front, far, direct time.Duration
	for range b.N {
		direct += send(dial(b, n, "LON", server))
		front += send(dial(b, n, "LON", addr))
		far += send(dial(b, n, "NYC", addr))
	}
	rate := func(d time.Duration) float64 { return float64(size) * float64(b.N) / d.Seconds() / 1e6 }
	b.ReportMetric(rate(direct), "direct-MB/s")
	b.ReportMetric(rate(front), "front-MB/s")
	b.ReportMetric(rate(far), "76ms-MB/s")
	b.ReportMetric(front.Seconds()/direct.Seconds(), "front/direct")
}

// Memory and goroutines that an idle connection costs the network, after it has carried a message.
func BenchmarkConnectionMemory(b *testing.B) {
	n := newNetwork(b, threeCities())
	addr := frontOf(b, n, "nyc/LON", "LON", serve(b, func(c net.Conn) {
		var buf [64]byte
		for {
			m, err := c.Read(buf[:])
			if err != nil {
				return
			}
			_, _ = c.Write(buf[:m])
		}
	}))
	const count = 500
	for range b.N {
		before, goroutines := memory(), runtime.NumGoroutine()
		var conns []net.Conn
		for range count {
			conn, err := n.Dialer("LON").DialContext(b.Context(), "tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			ping(b, conn, 1)
			conns = append(conns, conn)
		}
		b.ReportMetric(float64(memory()-before)/count/1024, "KiB/connection")
		// One goroutine more is the echo server's.
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/count-1, "goroutines/connection")
		for _, conn := range conns {
			_ = conn.Close()
		}
		testkit.Eventually(b, testkit.Patience, "all are forgotten", func() bool { return n.circuitCount() == 0 })
	}
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
