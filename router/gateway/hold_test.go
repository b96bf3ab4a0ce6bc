package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/router/gateway"
)

// problem answers as the shop does.
func problem(w http.ResponseWriter, status int, name string) {
	w.Header().Set("Content-Type", "application/problem+json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "0")
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"https://github.com/geoshard/geoshard/blob/main/docs/cartdemo.md#%s","status":%d}`, name, status)
}

// electing answers as during an election, until it has been asked a number of times, and then as the application does.
func (a *application) electing(times int64, status int, name string) *atomic.Int64 {
	var asked atomic.Int64
	a.does(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= times {
			_, _ = io.Copy(io.Discard, r.Body)
			problem(w, status, name)
			return
		}
		a.echo(w, r)
	})
	return &asked
}

const key = "01K4B4B2V8G3T0000000000001"

// What may be sent again is held over an election: the client sees that it takes longer, and nothing else.
func TestRequestsAreHeldOverAnElection(t *testing.T) {
	for _, c := range []struct {
		name           string
		method, path   string
		headers        []string
		status         int
		problem        string
		wantHeld       bool
		wantApplicants int64
	}{
		{"a write with a key", http.MethodPost, "/items", []string{"Idempotency-Key", key}, 503, "unavailable", true, 4},
		{"a write with a key that timed out", http.MethodPost, "/items", []string{"Idempotency-Key", key}, 504, "timed-out", true, 4},
		{"a read", http.MethodGet, "", nil, 503, "not-ready", true, 4},
		{"a POST that reads", http.MethodPost, "/quote", nil, 503, "unavailable", true, 4},
		{"a read whose token is ahead", http.MethodGet, "", nil, 503, "not-caught-up", true, 4},
		{"a write without a key", http.MethodPost, "/items", nil, 503, "unavailable", false, 1},
		{"a write with two keys", http.MethodPost, "/items", []string{"Idempotency-Key", key, "Idempotency-Key", key}, 503, "unavailable", false, 1},
		{"a GET that writes, without a key", http.MethodGet, "/visit", nil, 503, "unavailable", false, 1},
		{"what is no passing trouble", http.MethodPost, "/items", []string{"Idempotency-Key", key}, 422, "key-reused", false, 1},
		{"too many writes to one cart", http.MethodPost, "/items", []string{"Idempotency-Key", key}, 429, "too-busy", false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newRoutedApps(t, "")
			body := ""
			if c.method == http.MethodPost {
				body = strings.Repeat("x", 20_000)
			}
			asked := s.apps[0].electing(3, c.status, c.problem)
			a := s.ask(c.method, "/v1/carts/NYC."+id+c.path, body, c.headers...)
			want := c.status
			if c.wantHeld {
				want = http.StatusOK
			}
			if a.StatusCode != want || asked.Load() != c.wantApplicants {
				t.Errorf("got %s after %d tries, want %d after %d", a.Status, asked.Load(), want, c.wantApplicants)
			}
			if c.wantHeld && !strings.HasSuffix(a.text, " "+body) {
				t.Errorf("the body was not sent again whole: %.100s", a.text)
			}
		})
	}
}

// An upstream that is gone has not seen a request that it refused to be connected for: that is sent elsewhere whatever it is.
func TestARequestThatDidNotArriveIsSentElsewhere(t *testing.T) {
	s := newRoutedApps(t, "")
	s.apps[0].Close()
	for range 3 {
		a := s.ask(http.MethodPost, "/v1/carts", strings.Repeat("y", 200_000))                              // no key, and longer than what is kept
		if by := a.Header.Get("X-Served-By"); a.StatusCode != http.StatusOK || by != "LON" && by != "SYD" { // by the round trips measured here
			t.Fatalf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
		}
	}
}

// Once a byte may have arrived, a write without a key is not sent again: the client learns that it cannot know.
func TestWhatMayHaveArrivedIsNotRepeated(t *testing.T) {
	s := newRoutedApps(t, "")
	var asked atomic.Int64
	s.apps[1].does(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close() // it ends without an answer
	})
	path := "/v1/carts/LON." + id + "/items"
	if a := s.ask(http.MethodPost, path, "{}"); a.StatusCode != http.StatusBadGateway || asked.Load() != 1 {
		t.Errorf("got %s after %d tries, want 502 after 1", a.Status, asked.Load())
	}
}

// The last answer is passed on when the time is over, and not later.
func TestTheBudgetEnds(t *testing.T) {
	s := newRoutedApps(t, "  budget: 400ms\n")
	s.apps[0].electing(1e9, 503, "unavailable")
	began := time.Now()
	a := s.ask(http.MethodPost, "/v1/carts/NYC."+id+"/items", "{}", "Idempotency-Key", key)
	if took := time.Since(began); a.StatusCode != 503 || !strings.Contains(a.text, "cartdemo.md#unavailable") || took < 300*time.Millisecond {
		t.Errorf("got %s after %s: %s", a.Status, took, a.text)
	}
}

// Where the topology has no budget, requests are held as long as elections are foreseen to take.
func TestTheBudgetIsForeseen(t *testing.T) {
	for _, timeout := range []time.Duration{0, 2 * time.Second} {
		s := newRoutedApps(t, "", func(o *gateway.Options) { o.ElectionTimeout = timeout })
		if got, want := s.gate.Table().Budget, consistency.Budget(s.world, timeout).String(); got != want {
			t.Errorf("election timeout %s: got %s, want %s", timeout, got, want)
		}
	}
}

// No more requests wait than may; the others are answered at once.
func TestTheQueueIsBounded(t *testing.T) {
	s := newRoutedApps(t, "  queue: 5\n  budget: 2s\n")
	s.apps[0].electing(1e9, 503, "unavailable")
	var quick, held atomic.Int64
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			began := time.Now()
			if a, err := s.try(http.MethodGet, "/v1/carts/NYC."+id, ""); err != nil || a.StatusCode != 503 {
				t.Errorf("got %v, %v", a.Status, err)
			}
			if time.Since(began) < time.Second {
				quick.Add(1)
			} else {
				held.Add(1)
			}
		})
	}
	group.Wait()
	if held.Load() != 5 {
		t.Errorf("%d were held and %d not, want 5 and 15", held.Load(), quick.Load())
	}
	if live := s.gate.Table(); live.Held != 0 {
		t.Errorf("%d are still held", live.Held)
	}
}

// The bytes that are kept to be sent again are bounded for all together: what finds no room is streamed, and sent once.
func TestTheBytesThatAreKeptAreBounded(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.ReplayBytes = 10_000 })
	asked := s.apps[0].electing(1, 503, "unavailable")
	body := strings.Repeat("x", 20_000)
	a := s.ask(http.MethodPost, "/v1/carts/NYC."+id+"/items", body, "Idempotency-Key", key)
	if a.StatusCode != 503 || asked.Load() != 1 {
		t.Errorf("got %s after %d tries, want 503 after 1", a.Status, asked.Load())
	}
	if a := s.ask(http.MethodPost, "/v1/carts/NYC."+id+"/items", body, "Idempotency-Key", key); !strings.HasSuffix(a.text, body) {
		t.Errorf("the streamed body did not arrive: %.100s", a.text)
	}
	if live := s.gate.Table(); live.Kept != 0 {
		t.Errorf("%d bytes are still kept", live.Kept)
	}
}

// A chunked body of unknown length is kept too, if it is short.
func TestShortChunkedBodiesAreKept(t *testing.T) {
	s := newRoutedApps(t, "")
	for _, size := range []int{10, 64 << 10, 64<<10 + 1, 300_000} {
		asked := s.apps[0].electing(1, 503, "unavailable")
		body := strings.Repeat("z", size)
		r, err := http.NewRequest(http.MethodPost, s.front.URL+"/v1/carts/NYC."+id+"/items", io.MultiReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", key)
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if kept := size <= 64<<10; kept != (res.StatusCode == 200) || kept != (asked.Load() == 2) || kept && !strings.HasSuffix(string(text), body) {
			t.Errorf("%d bytes: got %s after %d tries", size, res.Status, asked.Load())
		}
	}
}
