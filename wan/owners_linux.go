package wan

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// loopback is 127.0.0.1 as /proc/net/tcp prints it: the address word in the machine's own byte order.
var loopback = fmt.Sprintf("%08X", binary.NativeEndian.Uint32([]byte{127, 0, 0, 1}))

// owners finds which of the processes opened each connection. It searches the kernel's table for the wanted lines and looks into the
// descriptors of the given processes alone; listing all sockets, as ownersFromList does, decodes thousands of lines
// and reads every process of the machine for each new connection (see BenchmarkFindSource for the ratio).
func owners(ctx context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ownersFromList(ctx, pairs, pids) // /proc is not what we know
	}
	byInode := map[string]socketPair{} // by the name that a descriptor of the socket links to
	for _, pair := range pairs {
		if inode := inodeOf(table, pair); inode != "" {
			byInode["socket:["+inode+"]"] = pair
		}
	}
	found := map[socketPair]int32{}
	for _, pid := range pids {
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		fds, _ := os.ReadDir(dir) // an error means that the process has ended: then it owns nothing
		for _, fd := range fds {
			if len(found) == len(byInode) {
				return found, nil
			}
			link, _ := os.Readlink(filepath.Join(dir, fd.Name()))
			if pair, ok := byInode[link]; ok {
				found[pair] = pid
			}
		}
	}
	return found, nil
}

// inodeOf finds the socket at the connecting end; "" when there is none any more.
func inodeOf(table []byte, pair socketPair) string {
	// The columns are: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
	ends := fmt.Sprintf(" %s:%04X %s:%04X ", loopback, pair.client, loopback, pair.front)
	_, line, ok := bytes.Cut(table, []byte(ends))
	if !ok {
		return ""
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	const inode = 6 // counted from st
	if columns := bytes.Fields(line); len(columns) > inode {
		return string(columns[inode])
	}
	return ""
}
