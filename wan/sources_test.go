package wan

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A storm of connections makes looks larger, not more: everybody is answered, and looking takes half a core at most.
func TestAStormSharesLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newSources(ctx)
		const look, storm, connections = 10 * time.Millisecond, time.Second, 1000
		looks, under := 0, 0
		s.find = func(_ context.Context, pairs []socketPair, pids []int32) (map[socketPair]int32, error) {
			looks++
			if under++; under > 1 {
				t.Error("two looks at a time")
			}
			time.Sleep(look)
			under--
			found := map[socketPair]int32{}
			for _, pair := range pairs {
				found[pair] = pids[0]
			}
			return found, nil
		}
		s.register(7, route{from: 2, known: true})
		var wg sync.WaitGroup
		wg.Go(s.run)
		began := time.Now()
		var asking sync.WaitGroup
		for i := range connections {
			asking.Go(func() {
				time.Sleep(storm * time.Duration(i) / connections)
				asked := time.Now()
				if r := s.owner(socketPair{client: uint32(i)}); !r.known || r.from != 2 {
					t.Errorf("connection %d: got %+v", i, r)
				}
				if waited := time.Since(asked); waited > 3*look { // the look under way, its rest, and its own
					t.Errorf("connection %d waited %v", i, waited)
				}
			})
		}
		asking.Wait()
		if most := int(time.Since(began)/(2*look)) + 1; looks > most {
			t.Errorf("%d looks for %d connections, want at most %d", looks, connections, most)
		}
		cancel()
		wg.Wait()
	})
}
