package gateway_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router/gateway"
)

// heap is what is in use once all garbage is gone.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Memory stays flat and goroutines go back to where they were, after requests that ended well and after ones that clients gave up at any point.
func TestNothingIsLeftBehind(t *testing.T) {
	requests, aborted := testkit.Count(t, "requests", 4_000, 1_000_000), testkit.Count(t, "aborted requests", 300, 10_000)
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.CheckEvery = time.Second })
	small := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }
	for _, app := range s.apps {
		app.forgetful()
		app.does(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/stuck":
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			case "/endless":
				part := make([]byte, 64<<10)
				for r.Context().Err() == nil {
					if _, err := w.Write(part); err != nil {
						return
					}
				}
			default:
				small(w, r)
			}
		})
	}
	run := func(n int) {
		var next atomic.Int64
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				for next.Add(1) <= int64(n) {
					if a, err := s.try(http.MethodPost, "/v1/carts/LON."+id+"/items", "body", "Idempotency-Key", key); err != nil || a.StatusCode != http.StatusOK {
						t.Errorf("got %v, %v", a.Response, err)
						return
					}
				}
			})
		}
		group.Wait()
	}
	run(requests / 10) // pools fill
	before, goroutines := heap(), runtime.NumGoroutine()
	run(requests)
	grown := heap() - before
	if grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes over %d requests", grown, requests)
	}
	s.abort(aborted)
	testkit.Eventually(t, testkit.Patience, "nothing is under way", func() bool { return s.gate.Table().UnderWay == 0 })
	s.client.CloseIdleConnections()
	testkit.Eventually(t, testkit.Patience, "goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines+20 })
	live := s.gate.Table()
	if live.Held != 0 || live.Kept != 0 {
		t.Errorf("%d held, %d bytes kept", live.Held, live.Kept)
	}
	afterAborts := heap() - before
	if afterAborts > 8<<20 {
		t.Errorf("the heap grew by %d bytes after %d aborted requests", afterAborts, aborted)
	}
	t.Logf("%d requests: heap %+d bytes; %d aborted: heap %+d bytes, goroutines %d before and %d after", requests, grown, aborted, afterAborts, goroutines, runtime.NumGoroutine())
}

// abort gives up requests: while the upstream thinks, while a body is on its way, while an answer is.
func (s *routedApps) abort(n int) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+i%20)*time.Millisecond)
				method, path, body := http.MethodGet, "/stuck", io.Reader(nil)
				switch i % 3 {
				case 1:
					path = "/endless"
				case 2:
					method, body = http.MethodPost, io.MultiReader(strings.NewReader("x"), waiting{ctx})
				}
				r, err := http.NewRequestWithContext(ctx, method, s.front.URL+path, body)
				if err != nil {
					s.t.Error(err)
				} else if res, err := s.client.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				cancel()
			}
		})
	}
	group.Wait()
}

// waiting is a body whose end never comes.
type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// forgetful keeps an application from remembering what it was asked.
func (a *application) forgetful() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets = true
}
