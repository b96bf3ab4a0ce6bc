//go:build !linux

package wan

import "context"

func owners(ctx context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
	return ownersFromList(ctx, pairs, pids)
}
