package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A page is a stream as a browser reads it.
type page struct {
	res    *http.Response
	events chan [2]string // name, data
}

func open(t *testing.T, url string) *page {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{res: res, events: make(chan [2]string, 10_000)}
	t.Cleanup(func() {
		cancel()
		res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		for range p.events { // until the reader has ended
		}
	})
	go func() {
		defer close(p.events)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 4<<20)
		name := ""
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			} else if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				p.events <- [2]string{name, text}
			}
		}
	}()
	return p
}

// until reads events until one is as wanted.
func (p *page) until(t *testing.T, what string, wanted func(name, data string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), generous)
	defer cancel()
	for {
		select {
		case e, open := <-p.events:
			if !open {
				t.Fatalf("the stream ended, want %s", what)
			}
			if wanted(e[0], e[1]) {
				return
			}
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func named(want string) func(string, string) bool {
	return func(name, _ string) bool { return name == want }
}

func TestAPageHearsOfThePresentFirstAndThenOfChanges(t *testing.T) {
	w := newStill(t, http.NotFoundHandler())
	_, server := started(t, w, Options{})
	first := open(t, server.URL)
	first.until(t, "the cluster", named("cluster"))
	w.change(func(s *cluster.Status) { s.Members[0].State = cluster.StateDown }) // nyc/NYC, the primary
	first.until(t, "the loss of a member", func(name, data string) bool {
		return name == "happenings" && strings.Contains(data, "nyc/NYC is down")
	})
	first.until(t, "the election", func(name, data string) bool {
		return name == "happenings" && strings.Contains(data, "nyc has no primary")
	})
	w.change(func(s *cluster.Status) { s.Members[1].Role = cluster.RolePrimary })
	first.until(t, "the failover", func(name, data string) bool {
		var list []failover
		if name != "failovers" {
			return false
		}
		if err := json.Unmarshal([]byte(data), &list); err != nil {
			t.Fatal(err)
		}
		return len(list) == 1 && list[0].From == "nyc/NYC" && list[0].To == "nyc/LON" && list[0].Gap > 0
	})

	late := open(t, server.URL) // what was before comes before "ready"
	seen := map[string]string{}
	late.until(t, "ready", func(name, data string) bool { seen[name] = data; return name == "ready" })
	if !strings.Contains(seen["happenings"], "nyc has no primary") || !strings.Contains(seen["failovers"], "nyc/LON") || seen["setup"] == "" {
		t.Errorf("a page that came late was told %v", seen)
	}
	if !strings.Contains(seen["cluster"], `"primary":"nyc/LON"`) {
		t.Errorf("got cluster %s, want nyc led by nyc/LON", seen["cluster"])
	}
}

func TestNoMorePagesThanBoundedAndAPlaceIsFreedByLeaving(t *testing.T) {
	d, server := started(t, newStill(t, http.NotFoundHandler()), Options{})
	for range mostListeners {
		open(t, server.URL).until(t, "hello", named("hello"))
	}
	one := call{method: http.MethodGet, path: "/api/events"}
	if status, h, text := one.do(t, server.URL); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Fatalf("page %d: got %d %s, want 503", mostListeners+1, status, text)
	}
	d.hub.mu.Lock()
	for l := range d.hub.listeners {
		d.hub.dismiss(l)
		break
	}
	d.hub.mu.Unlock()
	open(t, server.URL).until(t, "hello", named("hello"))
}

func TestAPageThatIsBehindIsDismissedAndNobodyWaitsForIt(t *testing.T) {
	h := newHub()
	slow, _, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	quick, _, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	for i := range mostWaiting + 1 {
		h.add("numbers", 3, i)
		<-quick
	}
	n := 0
	for range slow { // it ends
		n++
	}
	if n != mostWaiting {
		t.Errorf("the slow page got %d frames, want %d and then the end", n, mostWaiting)
	}
	h.leave(slow) // once more, as its handler does
	_, before, err := h.join()
	if err != nil || len(before) != 1 || string(before[0].data) != "[510,511,512]" {
		t.Errorf("got %v, %v, want the last three", before, err)
	}
	h.close()
	for range quick {
	}
	if _, _, err := h.join(); err == nil {
		t.Error("a page joined after the end")
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	w := newStill(t, http.NotFoundHandler())
	d, err := New(Options{World: w, Token: secret, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, d, listener) }()
	p := open(t, "http://"+listener.Addr().String())
	p.until(t, "the cluster", named("cluster"))
	stop()
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("got %v, want none", err)
		}
	case <-time.After(generous):
		t.Fatal("the server did not end")
	}
	for range p.events { // nor does the stream go on
	}
}
