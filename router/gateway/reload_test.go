package gateway_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router/gateway"
)

// While requests run, the topology is read anew again and again: none is lost, and each is answered by an application of the topology.
func TestReloadsDropNothing(t *testing.T) {
	s := newRoutedApps(t, "")
	second := newApplication(t, "LON")
	other := worldOf(t, [3][]string{{s.apps[0].URL}, {second.URL}, {s.apps[2].URL}}, "  budget: 5s\n")
	ctx, stop := context.WithCancel(t.Context())
	var asked atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for ctx.Err() == nil {
				asked.Add(1)
				if a, err := s.try(http.MethodPost, "/v1/carts/LON."+id+"/items", "body"); err != nil || a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "LON" {
					t.Errorf("got %v, %v", a.Response, err)
				}
			}
		})
	}
	const reloads = 50
	for i := range reloads {
		world := s.world
		if i%2 == 0 {
			world = other
		}
		if err := s.gate.Reload(world, nil); err != nil {
			t.Error(err)
		}
		before := asked.Load()
		testkit.Eventually(t, testkit.Patience, "requests go on", func() bool { return asked.Load() > before+4 })
	}
	stop()
	group.Wait()
	if len(second.requests()) == 0 {
		t.Error("the other topology's application was never asked")
	}
	t.Logf("%d requests over %d reloads", asked.Load(), reloads)
}

// What cannot be used is refused, the old stays, and the page says why.
func TestARefusedReloadKeepsTheOld(t *testing.T) {
	s := newRoutedApps(t, "")
	bad := *s.world
	r := *bad.Router
	r.Upstreams = nil
	bad.Router = &r
	if err := s.gate.Reload(&bad, nil); err == nil {
		t.Fatal("a topology without upstreams was taken")
	}
	if a := s.ask(http.MethodPost, "/v1/carts/LON."+id+"/items", ""); a.Header.Get("X-Served-By") != "LON" {
		t.Errorf("afterwards: got %s", a.Status)
	}
	if live := s.gate.Table(); live.Refused == "" {
		t.Error("the live table does not say why")
	}
	if err := s.gate.Reload(s.world, nil); err != nil || s.gate.Table().Refused != "" {
		t.Errorf("got %v, %q", err, s.gate.Table().Refused)
	}
}

// A file counts as changed when its content is another, however it came about, and on a signal in any case.
func TestFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "geoshard.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	ctx, stop := context.WithCancel(t.Context())
	var changes atomic.Int64
	again, done := make(chan os.Signal), make(chan error, 1)
	go func() { done <- gateway.WatchFiles(ctx, []string{file}, again, func() { changes.Add(1) }) }()
	again <- os.Interrupt // it runs by now
	testkit.Eventually(t, testkit.Patience, "the signal counts", func() bool { return changes.Load() == 1 })
	write("b")
	testkit.Eventually(t, testkit.Patience, "a change in place", func() bool { return changes.Load() == 2 })
	next := filepath.Join(dir, "next")
	if err := os.WriteFile(next, []byte("c"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, testkit.Patience, "another file in its place", func() bool { return changes.Load() == 3 })
	write("c")
	write("d")
	testkit.Eventually(t, testkit.Patience, "a change after the same content", func() bool { return changes.Load() == 4 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Metrics, health and the live table are on the admin listener; what is shown is escaped; strangers' pages cannot read it; and re-homing wants the token.
func TestTheAdminListener(t *testing.T) {
	s := newRoutedApps(t, "")
	const token = "0123456789abcdef0123"
	admin := s.gate.Admin(gateway.AdminOptions{Token: token})
	s.apps[2].does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.ask(http.MethodPost, "/v1/carts/SYD."+id+"/items", "")
	front := serve(t, admin)
	ask := func(method, path, body, host, authorization string) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequest(method, front+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		a, err := read(s.client.Do(r))
		if err != nil {
			t.Fatal(err)
		}
		return a.StatusCode, a.text, a.Header
	}
	if status, text, h := ask(http.MethodGet, "/debug/geoshard", "", "", ""); status != 200 || !strings.Contains(text, "Gateway of NYC") || !strings.Contains(text, "answered Bad Gateway") ||
		!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("the page: %d %s", status, text)
	}
	if status, text, _ := ask(http.MethodGet, "/debug/geoshard.json", "", "", ""); status != 200 || !strings.Contains(text, `"writeGoes":"LON: forward (owner)"`) {
		t.Errorf("the table: %d %s", status, text)
	}
	if status, _, _ := ask(http.MethodGet, "/debug/geoshard", "", "rebound.example", ""); status != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %d", status)
	}
	if status, _, _ := ask(http.MethodGet, "/readyz", "", "", ""); status != 200 {
		t.Errorf("ready: %d", status)
	}
	body := `{"handle":"NYC.` + id + `","to":"LON"}`
	for authorization, want := range map[string]int{"": 401, "Bearer": 401, "Bearer x": 401, "Basic " + token: 401, token: 401, "Bearer " + token: 501} {
		if status, text, _ := ask(http.MethodPost, "/v1/rehome", body, "", authorization); status != want {
			t.Errorf("Authorization %q: got %d, want %d: %s", authorization, status, want, text)
		}
	}
	closed := s.gate.Admin(gateway.AdminOptions{})
	front = serve(t, closed)
	if status, _, _ := ask(http.MethodPost, "/v1/rehome", body, "", "Bearer "); status != 401 {
		t.Errorf("without a token the API is open: %d", status)
	}
}

// The headers that explain come on demand.
func TestTheDecisionIsExplainedOnDemand(t *testing.T) {
	s := newRoutedApps(t, "")
	path := "/v1/carts/LON." + id + "/items"
	if h := s.ask(http.MethodPost, path, "").Header; h.Get("X-Geoshard-Reason") != "" || h.Get("Server-Timing") != "" {
		t.Errorf("unasked: got %v", h)
	}
	h := s.ask(http.MethodPost, path, "", "X-Geoshard-Explain", "1").Header
	for name, want := range map[string]string{"X-Geoshard-Datacenter": "LON", "X-Geoshard-Owner": "LON", "X-Geoshard-Mode": "forward", "X-Geoshard-Reason": "owner"} {
		if h.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, h.Get(name), want)
		}
	}
	if timing := h.Get("Server-Timing"); !strings.HasPrefix(timing, "geoshard;dur=") || !strings.Contains(timing, "upstream;dur=") {
		t.Errorf("got Server-Timing %q", timing)
	}
}
