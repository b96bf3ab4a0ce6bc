package dashboard

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const secret = "right-token"

// served starts a dashboard over a still world, and its server.
func started(t *testing.T, w *still, o Options) (*Dashboard, *httptest.Server) {
	t.Helper()
	o.World, o.Token, o.Quiet = w, secret, true
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	server := httptest.NewServer(d)
	t.Cleanup(func() {
		stop()
		<-ran
		server.Close()
	})
	return d, server
}

// A call is a request that something is wrong with, or nothing.
type call struct {
	method, path, host, token, origin, site, body string
}

func (c call) do(t *testing.T, base string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.host != "" {
		r.Host = c.host
	}
	for name, value := range map[string]string{HeaderToken: c.token, "Origin": c.origin, "Sec-Fetch-Site": c.site} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestOnlyThePageWithTheTokenMayChangeSomething(t *testing.T) {
	w := newStill(t, http.NotFoundHandler())
	_, server := started(t, w, Options{Hosts: []string{"demo.example"}})
	own := strings.TrimPrefix(server.URL, "http://")
	heal := call{method: http.MethodPost, path: "/api/faults/heal", token: secret, body: "{}"}
	with := func(f func(*call)) call { c := heal; f(&c); return c }
	for name, one := range map[string]struct {
		call call
		want int
	}{
		"the page":                       {with(func(c *call) { c.origin, c.site = server.URL, "same-origin" }), 204},
		"a program":                      {heal, 204},
		"another name of ours":           {with(func(c *call) { c.host, c.origin = "demo.example:1", "http://demo.example:1" }), 204},
		"localhost":                      {with(func(c *call) { c.host = "localhost:1" }), 204},
		"an address":                     {with(func(c *call) { c.host = "[::1]:1" }), 204},
		"no token":                       {with(func(c *call) { c.token = "" }), 401},
		"a wrong token":                  {with(func(c *call) { c.token = "right-tokem" }), 401},
		"a part of the token":            {with(func(c *call) { c.token = "right" }), 401},
		"a page of another origin":       {with(func(c *call) { c.origin = "https://evil.example" }), 403},
		"another port of this machine":   {with(func(c *call) { c.origin = "http://127.0.0.1:1" }), 403},
		"a page of no origin":            {with(func(c *call) { c.origin = "null" }), 403},
		"a page of another site":         {with(func(c *call) { c.site = "cross-site" }), 403},
		"a name that leads here":         {with(func(c *call) { c.host, c.origin = "evil.example", "http://evil.example" }), 403},
		"a name that leads here, as GET": {call{method: http.MethodGet, path: "/", host: "evil.example"}, 403},
		"a GET that would change":        {with(func(c *call) { c.method, c.body = http.MethodGet, "" }), 404},
		"no action":                      {with(func(c *call) { c.path = "/api/faults/everything" }), 404},
		"no JSON":                        {with(func(c *call) { c.body = "heal" }), 400},
		"an unknown field":               {with(func(c *call) { c.body = `{"all":true}` }), 400},
		"a long body":                    {with(func(c *call) { c.body = `{"city":"` + strings.Repeat("x", mostBody) + `"}` }), 400},
	} {
		before := strings.Count(w.log(), "heal")
		got, _, text := one.call.do(t, strings.Replace(server.URL, own, own, 1))
		if got != one.want {
			t.Errorf("%s: got %d %s, want %d", name, got, text, one.want)
		}
		if did := strings.Count(w.log(), "heal") - before; (did == 1) != (one.want == 204) {
			t.Errorf("%s: healed %d times with status %d", name, did, got)
		}
		if strings.Contains(text, secret) {
			t.Errorf("%s: the answer tells the token: %s", name, text)
		}
	}
}

func TestEveryAnswerKeepsThePageToItself(t *testing.T) {
	_, server := started(t, newStill(t, http.NotFoundHandler()), Options{})
	for _, path := range []string{"/", "/app.js", "/style.css", "/nothing"} {
		_, h, _ := call{method: http.MethodGet, path: path}.do(t, server.URL)
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: got policy %q", path, policy)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: got headers %v", path, h)
		}
	}
}

// What the page loads is all here: no address of another server, no script or style inside the page.
func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	entries, err := assets.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := assets.ReadFile("assets/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"https://", "style=\"", "onclick", "innerHTML", "eval(", "<script>", "<style"} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s has %q", e.Name(), bad)
			}
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if i := strings.Index(line, "http://"); i >= 0 && !strings.HasPrefix(line[i:], "http://www.w3.org/2000/svg") {
				t.Errorf("%s: %s", e.Name(), line)
			}
		}
	}
	t.Logf("%d files", len(entries))
}

func TestActionsReachTheCluster(t *testing.T) {
	w := newStill(t, http.NotFoundHandler())
	_, server := started(t, w, Options{})
	for _, one := range []struct {
		path, body string
		status     int
		did        string
	}{
		{"faults/kill", `{"shard":"lon"}`, 204, "kill lon/LON"},
		{"faults/kill", `{"shard":"nowhere"}`, 409, ""},
		{"faults/start", `{"member":"lon/LON"}`, 204, "start lon/LON"},
		{"faults/start", `{"member":"LON"}`, 404, ""},
		{"faults/isolate", `{"dc":"SYD"}`, 204, "isolate SYD"},
		{"faults/lag", `{"member":"nyc/LON","lag":"5s"}`, 204, "lag nyc/LON 5s"},
		{"faults/lag", `{"member":"nyc/LON","lag":"1h"}`, 400, ""},
		{"faults/lag", `{"member":"nyc/LON","lag":"soon"}`, 400, ""},
		{"shoppers", `{"city":"Atlantis"}`, 404, ""},
		{"shoppers", `{"city":"Tokyo"}`, 502, ""}, // the gateway of this test knows no cart
		{"shoppers/0/items", `{"sku":"book"}`, 404, ""},
		{"shoppers/x/items", `{"sku":"book"}`, 404, ""},
		{"notices", `{"sku":"$x"}`, 400, ""},
	} {
		before := w.log()
		status, _, text := call{method: http.MethodPost, path: "/api/" + one.path, token: secret, body: one.body}.do(t, server.URL)
		if status != one.status {
			t.Errorf("%s %s: got %d %s, want %d", one.path, one.body, status, text, one.status)
		}
		if did := strings.Trim(strings.TrimPrefix(w.log(), before), "; "); did != one.did {
			t.Errorf("%s %s: did %q, want %q", one.path, one.body, did, one.did)
		}
		if status >= 400 && !strings.Contains(text, `"error"`) {
			t.Errorf("%s %s: got %s, want an error in words", one.path, one.body, text)
		}
	}
}

func TestFewActionsAreUnderWayAtOnce(t *testing.T) {
	d, server := started(t, newStill(t, http.NotFoundHandler()), Options{})
	for range mostActions {
		d.turns <- struct{}{}
	}
	heal := call{method: http.MethodPost, path: "/api/faults/heal", token: secret, body: "{}"}
	if status, h, _ := heal.do(t, server.URL); status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("got %d with Retry-After %q, want 429", status, h.Get("Retry-After"))
	}
	for range mostActions {
		<-d.turns
	}
	if status, _, text := heal.do(t, server.URL); status != http.StatusNoContent {
		t.Errorf("got %d %s when they had ended, want 204", status, text)
	}
}

func TestOptionsAreRequired(t *testing.T) {
	w := newStill(t, http.NotFoundHandler())
	for name, o := range map[string]Options{"no world": {Token: "x"}, "no token": {World: w}} {
		if _, err := New(o); err != ErrIncomplete {
			t.Errorf("%s: got %v, want ErrIncomplete", name, err)
		}
	}
	if a, b := NewToken(), NewToken(); a == b || len(a) < 32 {
		t.Errorf("got tokens %q and %q", a, b)
	}
}

const generous = 30 * time.Second

// An action that nobody waits for any more is over before Run returns.
func TestActionsEndWithTheRun(t *testing.T) {
	asked := make(chan struct{})
	w := newStill(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that its client has gone
		if r.Method == http.MethodPost {
			close(asked)
		}
		<-r.Context().Done()
	}))
	d, err := New(Options{World: w, Token: secret, Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	answered := make(chan int, 1)
	go func() {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/api/shoppers", strings.NewReader(`{"city":"London"}`))
		r.Header.Set(HeaderToken, secret)
		recorder := httptest.NewRecorder()
		d.ServeHTTP(recorder, r)
		answered <- recorder.Code
	}()
	<-asked
	stop()
	select {
	case <-ran:
	case <-time.After(generous):
		t.Fatal("Run did not end")
	}
	if got := <-answered; got != http.StatusBadGateway {
		t.Errorf("got %d, want 502: the gateway did not answer", got)
	}
}
