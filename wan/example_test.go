package wan_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// A member in London, seen from New York: the dial takes a round trip, and times out while the link is cut.
func Example() {
	member, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer member.Close()
	go func() {
		for {
			conn, err := member.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "good evening")
			_ = conn.Close()
		}
	}()

	n, err := wan.New(wan.Options{
		Datacenters: []topology.DatacenterID{"NYC", "LON"},
		Links:       []topology.Link{{Between: [2]topology.DatacenterID{"NYC", "LON"}, RTT: 76 * time.Millisecond}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	front, err := n.Front("nyc/LON", "LON", member.Addr().String())
	if err != nil {
		log.Fatal(err)
	}

	start := time.Now()
	conn, err := n.Dialer("NYC").DialContext(context.Background(), "tcp", front)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("connected after a round trip:", time.Since(start) >= 76*time.Millisecond)
	said, err := io.ReadAll(conn)
	fmt.Printf("%s %v\n", said, err)
	_ = conn.Close()

	fault, err := wan.ParseFault("cut NYC LON")
	if err != nil {
		log.Fatal(err)
	}
	if err := n.Apply(fault); err != nil {
		log.Fatal(err)
	}
	d := n.Dialer("NYC")
	d.Timeout = 100 * time.Millisecond
	_, err = d.DialContext(context.Background(), "tcp", front)
	timeout, ok := err.(net.Error)
	fmt.Println(n.Faults(), "timed out:", ok && timeout.Timeout())
	// Output:
	// connected after a round trip: true
	// good evening <nil>
	// [cut NYC LON] timed out: true
}
