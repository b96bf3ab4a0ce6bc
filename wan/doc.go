// Package wan emulates the links between datacenters for real processes on one machine.
//
// Each member of a cluster gets a front: an address on 127.0.0.1 that everyone else knows it by. What connects to a front is carried to
// the member over the link from the datacenter of the process that connects (Register says where processes run) or, for our own Go
// clients, of the Dialer. A link has a round-trip time, jitter, a bandwidth shared by its connections, and can be cut in one
// direction or both; all of it can change at any time. Inside a datacenter there is no delay.
//
// A stream behaves as TCP does over such a path. Bytes arrive in order, each delay/2 of the round trip after they were sent; a packet that
// is late holds up those behind it. A cut makes packets vanish and never resets anything: what is sent is held and goes on after healing, as
// retransmission would have it, and new connects wait. The end of a stream and a reset travel like bytes. A connection's first bytes pay for
// the handshake. What one direction of one connection holds is bounded by 4 MiB (64 MiB while a Lag applies to it); a sender beyond
// that is blocked.
//
// What disturbs the network is a Fault: a value that prints and parses, such as "cut NYC LON".
//
// The package never listens beyond 127.0.0.1, never resets a connection because of a fault, never loses a byte in the middle of a stream, and
// delays nothing of a process that nobody registered. A Lag recognises oplog fetches in uncompressed messages alone: run members with
// networkMessageCompressors "disabled".
//
//	n, err := wan.New(wan.Options{Datacenters: dcs, Links: links})
//	front, err := n.Front("nyc/LON", "LON", "127.0.0.1:27018")   // advertise front, listen on 27018
//	err = n.Register(mongod.Process.Pid, "LON", "nyc/LON")
//	err = n.Apply(wan.Cut{From: "NYC", To: "LON"})
//	conn, err := n.Dialer("NYC").DialContext(ctx, "tcp", front)  // times out while cut
package wan
