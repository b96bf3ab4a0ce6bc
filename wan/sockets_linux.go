package wan

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Both ways to find sockets return them by inode. A socket that is not there any more is left out.

var loopback = [4]byte{127, 0, 0, 1}

// A socketID is the kernel's inet_diag_sockid.
type socketID struct {
	SourcePort, DestinationPort [2]byte  // most significant first
	Source, Destination         [16]byte // an IPv4 address has the first four
	Interface                   uint32
	Cookie                      [2]uint32
}

// A socketRequest is the kernel's inet_diag_req_v2.
type socketRequest struct {
	Family, Protocol, Extensions, _ uint8
	States                          uint32
	ID                              socketID
}

// A socketAnswer is the kernel's inet_diag_msg.
type socketAnswer struct {
	Family, State, Timer, Retransmits          uint8
	ID                                         socketID
	Expires, ReadQueue, WriteQueue, UID, Inode uint32
}

// socketsFromKernel finds the sockets at the connecting ends by asking for each alone (sock_diag(7)). Dumping them with a filter, as libraries do,
// makes the kernel walk through its whole table.
func socketsFromKernel(pairs []socketPair) (map[uint32]socketPair, error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	defer conn.Close()
	found := map[uint32]socketPair{}
	for _, pair := range pairs {
		inode, err := askForSocket(conn, pair)
		if errors.Is(err, unix.ENOENT) {
			// A kernel that knows no TCP here says the same. Our own end is there, or at least what listens on its port.
			_, err = askForSocket(conn, socketPair{client: pair.front, front: pair.client})
		}
		if err != nil {
			return nil, fmt.Errorf("ask for a socket: %w", err)
		}
		if inode != 0 {
			found[inode] = pair
		}
	}
	return found, nil
}

// askForSocket returns 0 for a socket that no process has any more.
func askForSocket(conn *netlink.Conn, pair socketPair) (uint32, error) {
	const any = ^uint32(0)
	request := socketRequest{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: any, ID: socketID{Cookie: [2]uint32{any, any}}}
	binary.BigEndian.PutUint16(request.ID.SourcePort[:], uint16(pair.client))
	binary.BigEndian.PutUint16(request.ID.DestinationPort[:], uint16(pair.front))
	copy(request.ID.Source[:], loopback[:])
	copy(request.ID.Destination[:], loopback[:])
	data, err := binary.Append(nil, binary.NativeEndian, request)
	if err != nil {
		return 0, err
	}
	answers, err := conn.Execute(netlink.Message{Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request}, Data: data})
	if err != nil {
		return 0, err
	}
	var answer socketAnswer
	if len(answers) != 1 {
		return 0, fmt.Errorf("got %d answers, want one", len(answers))
	}
	if _, err := binary.Decode(answers[0].Data, binary.NativeEndian, &answer); err != nil {
		return 0, err
	}
	if answer.ID.DestinationPort != request.ID.DestinationPort {
		return 0, nil // the connection is gone, and something listens on its port
	}
	return answer.Inode, nil
}

// socketsFromTable finds the sockets at the connecting ends in the kernel's table of all.
func socketsFromTable(pairs []socketPair) (map[uint32]socketPair, error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil, err
	}
	found := map[uint32]socketPair{}
	for _, pair := range pairs {
		if inode := inodeOf(table, pair); inode != 0 {
			found[inode] = pair
		}
	}
	return found, nil
}

// inodeOf finds the socket at the connecting end; 0 when there is none any more.
func inodeOf(table []byte, pair socketPair) uint32 {
	// The columns are: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
	// An address is a word in the machine's own byte order.
	address := binary.NativeEndian.Uint32(loopback[:])
	ends := fmt.Sprintf(" %08X:%04X %08X:%04X ", address, pair.client, address, pair.front)
	_, line, ok := bytes.Cut(table, []byte(ends))
	if !ok {
		return 0
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	const inode = 6 // counted from st
	columns := bytes.Fields(line)
	if len(columns) <= inode {
		return 0
	}
	number, _ := strconv.ParseUint(string(columns[inode]), 10, 32)
	return uint32(number)
}
