package wan

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
)

// A finder finds which process opened a connection. It asks the kernel for the connecting sockets alone and looks into the descriptors of the
// given processes alone; listing all sockets, as ownersFromList does, decodes thousands of lines and reads every process of the machine for
// each new connection (see BenchmarkFindSource for the ratios).
type finder struct {
	// others has, by process, the descriptors that were something else than a wanted socket when they were last looked at. It is an order
	// and no answer: a number may have been given anew, so these are looked at too, after those that are new.
	others map[int32]map[string]bool
}

// owners finds which of the processes opened each connection.
func (f *finder) owners(ctx context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
	wanted, err := socketsFromKernel(pairs)
	if err != nil { // a sandbox refuses, or the kernel was built without
		wanted, err = socketsFromTable(pairs)
	}
	if err != nil { // /proc is not what we know
		return ownersFromList(ctx, pairs, pids)
	}
	return f.search(wanted, pids), nil
}

// search finds which of the processes have the sockets, given by their inodes.
func (f *finder) search(wanted map[uint32]socketPair, pids []int32) map[socketPair]int32 {
	if f.others == nil {
		f.others = map[int32]map[string]bool{}
	}
	maps.DeleteFunc(f.others, func(pid int32, _ map[string]bool) bool { return !slices.Contains(pids, pid) })
	byLink := map[string]socketPair{} // by what a descriptor of the socket links to
	for inode, pair := range wanted {
		byLink[fmt.Sprintf("socket:[%d]", inode)] = pair
	}
	found := map[socketPair]int32{}
	look := func(pid int32, fd string) bool {
		link, _ := os.Readlink(descriptors(pid) + fd)
		pair, ok := byLink[link]
		if ok {
			found[pair] = pid
		}
		return ok
	}
	for _, pid := range pids {
		if len(found) == len(byLink) {
			return found
		}
		before, now := f.others[pid], map[string]bool{}
		for _, fd := range list(pid) {
			if before[fd] || !look(pid, fd) {
				now[fd] = true
			}
		}
		f.others[pid] = now
	}
	for pid, fds := range f.others {
		// A connection's number is likely to become one's again.
		maps.DeleteFunc(fds, func(fd string, _ bool) bool { return len(found) < len(byLink) && look(pid, fd) })
	}
	return found
}

func descriptors(pid int32) string { return fmt.Sprintf("/proc/%d/fd/", pid) }

// list returns the names of a process's open descriptors: none when it has ended, for then it owns nothing.
func list(pid int32) []string {
	dir, err := os.Open(descriptors(pid))
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return names
}
