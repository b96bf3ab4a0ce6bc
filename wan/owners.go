package wan

import (
	"context"
	"slices"

	"github.com/shirou/gopsutil/v4/net"
)

// ownersFromList finds which of the processes opened each connection, in one list of all sockets of the system.
func ownersFromList(ctx context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
	// One list for all: a list per process would read the system's whole table once for each.
	stats, err := net.ConnectionsMaxWithoutUidsWithContext(ctx, "tcp4", 0)
	found := map[socketPair]int32{}
	for _, stat := range stats {
		pair := socketPair{client: stat.Laddr.Port, front: stat.Raddr.Port}
		if slices.Contains(pairs, pair) && slices.Contains(pids, stat.Pid) {
			found[pair] = stat.Pid
		}
	}
	return found, err
}
