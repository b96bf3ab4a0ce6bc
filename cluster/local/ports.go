package local

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the ranges from which systems give ports to outgoing connections (Linux 32768, others
// 49152 upwards): a killed member's port must still be free when it starts again.
const (
	firstPort = 20000
	lastPort  = 32000
)

// ports remembers what the clusters of this process hold, so that two of them starting at once do not choose alike.
// Other processes may; then the server exits with addressInUseExit and another port is tried.
var ports = struct {
	mu   sync.Mutex
	held map[int]bool // guarded by mu
}{held: map[int]bool{}}

// takePort returns a port on 127.0.0.1 that is free now.
func takePort() (int, error) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if ports.held[port] {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports.held[port] = true
		return port, nil
	}
	return 0, errors.New("find free port: none between 20000 and 32000")
}

func releasePort(port int) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	delete(ports.held, port)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
