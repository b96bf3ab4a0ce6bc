package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/router/gateway"
)

// raw sends bytes over a connection of its own and returns the statuses of all that is answered until the server closes it or falls silent.
func raw(t testing.TB, front, text string) (statuses []int) {
	t.Helper()
	conn := dialFront(t, front)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	reader := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
		if res.Close {
			return statuses
		}
	}
}

// What two servers could understand differently is refused, or arrives in one meaning only: no request reaches an application that the gateway has not seen as one.
func TestRequestsCannotBeSmuggled(t *testing.T) {
	s := newRoutedApps(t, "")
	const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		// want are the statuses that may come; the application must see no /hidden unless the gateway has answered it as a request of its own.
		want []int
	}{
		"two lengths":             {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 40\r\n\r\nabc" + hidden, []int{400}},
		"lengths in one line":     {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 40\r\n\r\nabc" + hidden, []int{400}},
		"a length with a sign":    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc" + hidden, []int{400}},
		"chunked twice":           {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, []int{400, 501}},
		"an unknown encoding":     {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, []int{400, 501}},
		"an encoding in disguise": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden, []int{400, 501}},
		"space before the colon":  {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 40\r\n\r\n" + hidden, []int{400}},
		"a bad chunk":             {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n" + hidden, []int{400}},
		"NUL in a header":         {"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", []int{400}},
		"bare CR in a header":     {"GET / HTTP/1.1\r\nHost: x\r\nX-A: a\rX-Geoshard-Handle: LON." + id + "\r\n\r\n", []int{400}},
		"NUL in a name":           {"GET / HTTP/1.1\r\nHost: x\r\nX-\x00A: a\r\n\r\n", []int{400}},
		"no host":                 {"GET / HTTP/1.1\r\n\r\n", []int{400}},
		"two hosts":               {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", []int{400}},
		"a path in bytes":         {"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
		"CONNECT":                 {"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n", []int{405}},
		"TRACE":                   {"TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{405}},
		"an asterisk":             {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{400, 200}},
	} {
		s.forget()
		got := raw(t, s.front.URL, c.text)
		if len(got) != 1 || !slices.Contains(c.want, got[0]) {
			t.Errorf("%s: got answers %v, want one of %v", name, got, c.want)
		}
		for _, r := range seen(s) {
			if r.URL.Path == "/hidden" || r.Header.Get("X-Geoshard-Handle") != "" {
				t.Errorf("%s: the application was asked for %s with %v", name, r.URL, r.Header)
			}
		}
	}
}

// A length beside an encoding: RFC 9112 lets the encoding count. Both sides of the gateway then have to mean the same, so the upstream is sent one meaning.
func TestLengthBesideEncodingHasOneMeaning(t *testing.T) {
	s := newRoutedApps(t, "")
	got := raw(t, s.front.URL, "POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	all := seen(s)
	if len(got) != len(all) {
		t.Errorf("%d answers, and the applications saw %d requests", len(got), len(all))
	}
	for _, r := range all {
		if r.Header.Get("Content-Length") != "" && len(r.TransferEncoding) > 0 || r.URL.Path == "/first" && r.ContentLength > 0 {
			t.Errorf("got %s with length %d, encoding %v", r.URL, r.ContentLength, r.TransferEncoding)
		}
	}
}

// A header that is folded over two lines arrives as one line, if at all.
func TestFoldedHeadersAreOneLine(t *testing.T) {
	s := newRoutedApps(t, "")
	raw(t, s.front.URL, "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\r\n X-Geoshard-Handle: LON."+id+"\r\nConnection: close\r\n\r\n")
	for _, r := range seen(s) {
		if strings.ContainsAny(r.Header.Get("X-A"), "\r\n") || r.Header.Get("X-Geoshard-Handle") != "" {
			t.Errorf("got %q", r.Header)
		}
	}
}

// seen are all requests that applications got.
func seen(s *routedApps) (all []*http.Request) {
	for _, a := range s.apps {
		all = append(all, a.requests()...)
	}
	return all
}

// forget drops what they were asked so far.
func (s *routedApps) forget() {
	for _, a := range s.apps {
		a.mu.Lock()
		a.asked = nil
		a.mu.Unlock()
	}
}

// What belongs to one connection, or says of a client what it should not say itself, ends here.
func TestHeadersOfTheHopAndHearsayEndHere(t *testing.T) {
	s := newRoutedApps(t, "")
	s.ask(http.MethodGet, "/", "", "Connection", "X-Secret, close", "X-Secret", "s", "Keep-Alive", "timeout=5", "Proxy-Authorization", "Basic x", "Proxy-Connection", "close",
		"Te", "gzip", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "1", "Forwarded", "for=1.2.3.4",
		"X-Real-Ip", "1.2.3.4", "X-Geoshard-Token", "token", "Cookie", "geoshard-token=t", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	got := seen(s)[0].Header
	for _, name := range []string{"X-Secret", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "X-Forwarded-Port", "Forwarded", "X-Real-Ip", "Connection"} {
		if got[name] != nil {
			t.Errorf("%s: %q arrived", name, got[name])
		}
	}
	for name, want := range map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Geoshard-Token": "token", "Cookie": "geoshard-token=t", "Via": "1.1 geoshard-NYC",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"} {
		if got.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if host := got.Get("X-Forwarded-Host"); host == "evil.example" {
		t.Error("the client chose X-Forwarded-Host")
	}
}

// A trusted proxy's word counts, on the way and on the place.
func TestTrustedProxiesAreBelieved(t *testing.T) {
	s := newRoutedApps(t, "  trust: {proxies: [\"127.0.0.0/8\"], country: CF-IPCountry}\n")
	a := s.ask(http.MethodPost, "/v1/carts", "", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "CF-IPCountry", "AU")
	if got := a.Header.Get("X-Served-By"); got != "SYD" {
		t.Errorf("a client from Australia was placed in %q", got)
	}
	got := seen(s)[0].Header
	if got.Get("X-Forwarded-For") != "1.2.3.4, 127.0.0.1" || got.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("got %v", got)
	}
	s = newRoutedApps(t, "  trust: {proxies: [\"10.0.0.0/8\"], country: CF-IPCountry}\n")
	a = s.ask(http.MethodPost, "/v1/carts", "", "CF-IPCountry", "AU")
	if got := a.Header.Get("X-Served-By"); got != "NYC" || seen(s)[0].Header.Get("Cf-Ipcountry") != "" {
		t.Errorf("a stranger's word placed it in %q, and reached the application as %q", got, seen(s)[0].Header.Get("Cf-Ipcountry"))
	}
}

// A request that has been here ends, rather than going round.
func TestLoopsEnd(t *testing.T) {
	s := newRoutedApps(t, "")
	for via, want := range map[string]int{
		"1.1 geoshard-NYC": 508, "1.0 a, 1.1 geoshard-NYC (x)": 508, "1.1 geoshard-LON": 200, "1.1 nyc": 200,
		"1.1 geoshard-A, 1.1 geoshard-B, 1.1 geoshard-C, 1.1 geoshard-D": 508,
	} {
		if a := s.ask(http.MethodGet, "/", "", "Via", via); a.StatusCode != want {
			t.Errorf("Via: %s: got %s, want %d", via, a.Status, want)
		}
	}
	// For real: a gateway whose application is itself.
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + own.Addr().String()
	gate, _, client := gatewayOf(t, worldOf(t, [3][]string{{address}, {s.apps[1].URL}, {s.apps[2].URL}}, ""))
	server := &http.Server{Handler: gate, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(own) }()
	defer server.Close()
	res, err := client.Get(address + "/round")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusLoopDetected {
		t.Errorf("got %s, want 508", res.Status)
	}
}

// A redirection leads to the gateway of a datacenter of the topology, with the same path, whatever the client writes.
func TestRedirectionsStayInTheTopology(t *testing.T) {
	s := newRoutedApps(t, "")
	for path, want := range map[string]string{
		"/v1/carts/LON." + id + "/away/a%2Fb?x=1&y=%20": "http://lon.example:8082/shop/v1/carts/LON." + id + "/away/a%2Fb?x=1&y=%20&geoshard-hop=1",
		"/v1/carts/LON." + id + "/away/@evil.example":   "http://lon.example:8082/shop/v1/carts/LON." + id + "/away/@evil.example?geoshard-hop=1",
		"/v1/carts/SYD." + id + "/away/x//y":            "http://syd.example:8083/v1/carts/SYD." + id + "/away/x//y?geoshard-hop=1",
	} {
		a := s.ask(http.MethodPost, path, "body")
		if a.StatusCode != http.StatusTemporaryRedirect || a.Header.Get("Location") != want {
			t.Errorf("%s: got %s to %q, want %q", path, a.Status, a.Header.Get("Location"), want)
		}
	}
	if a := s.ask(http.MethodPost, "/v1/carts/NYC."+id+"/away/x", ""); a.StatusCode != http.StatusOK {
		t.Errorf("at home: got %s", a.Status)
	}
	got := raw(t, s.front.URL, "POST http://evil.example/v1/carts/LON."+id+"/away/x HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	if len(got) != 1 || got[0] != http.StatusTemporaryRedirect {
		t.Errorf("an absolute address: got %v", got)
	}
	if n := len(seen(s)); n != 1 {
		t.Errorf("applications saw %d requests, want the one at home", n)
	}
}

// Gateways that disagree do not send a client to and fro: what one has redirected the other forwards, and the application does not see the mark.
func TestAClientIsRedirectedOnce(t *testing.T) {
	s := newRoutedApps(t, "")
	for query, want := range map[string]string{"?geoshard-hop=1": "", "?x=1&geoshard-hop=1&y=%20": "x=1&y=%20"} {
		s.forget()
		a := s.ask(http.MethodPost, "/v1/carts/LON."+id+"/away/x"+query, "body")
		got := seen(s)
		if a.StatusCode != http.StatusOK || len(got) != 1 || got[0].URL.RawQuery != want {
			t.Errorf("%s: got %s, and the application %+v, want the query %q", query, a.Status, got, want)
		}
	}
	for _, query := range []string{"?geoshard-hop=12", "?xgeoshard-hop=1"} {
		if a := s.ask(http.MethodPost, "/v1/carts/LON."+id+"/away/x"+query, ""); a.StatusCode != http.StatusTemporaryRedirect {
			t.Errorf("%s: got %s", query, a.Status)
		}
	}
}

// Bodies beyond the limit are refused: at once where the client announces them, else where they cross it.
func TestBodiesAreLimited(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.BodyLimit = 1000 })
	if a := s.ask(http.MethodPost, "/v1/carts", strings.Repeat("x", 1001)); a.StatusCode != http.StatusRequestEntityTooLarge || len(seen(s)) != 0 {
		t.Errorf("announced: got %s, and %d requests arrived", a.Status, len(seen(s)))
	}
	for _, headers := range [][]string{nil, {"Idempotency-Key", key}} {
		r, err := http.NewRequest(http.MethodPost, s.front.URL+"/v1/carts", io.MultiReader(strings.NewReader(strings.Repeat("x", 1001))))
		if err != nil {
			t.Fatal(err)
		}
		if headers != nil {
			r.Header.Set(headers[0], headers[1])
		}
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("chunked, %v: got %s", headers, res.Status)
		}
	}
	if a := s.ask(http.MethodPost, "/v1/carts", strings.Repeat("x", 1000)); a.StatusCode != http.StatusOK {
		t.Errorf("at the limit: got %s", a.Status)
	}
}

// A client that stops sending its body, or its header, is let go.
func TestSlowClientsAreLetGo(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Stall = 200 * time.Millisecond })
	for _, header := range []string{"", "Idempotency-Key: " + key + "\r\n"} {
		got := raw(t, s.front.URL, fmt.Sprintf("POST /v1/carts HTTP/1.1\r\nHost: x\r\n%sContent-Length: 100\r\n\r\nabc", header))
		if len(got) != 1 || got[0] != http.StatusRequestTimeout {
			t.Errorf("a stalled body, %q: got %v, want 408", header, got)
		}
	}
}

// More requests at once than may be are answered at once.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Requests = 3 })
	release, arrived := make(chan struct{}), make(chan struct{}, 10)
	s.apps[0].does(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := s.try(http.MethodGet, "/", "")
			ended <- err
		}()
		<-arrived
	}
	if a := s.ask(http.MethodGet, "/", ""); a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || !strings.Contains(a.text, "router.md#busy") {
		t.Errorf("got %s: %s", a.Status, a.text)
	}
	close(release)
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if a := s.ask(http.MethodGet, "/", ""); a.StatusCode != http.StatusOK {
		t.Errorf("afterwards: got %s", a.Status)
	}
}

// Whatever stands in the place of a handle, a request reaches an application of the topology with the path that the client sent, or none.
func FuzzRequestsReachTheTopologyAlone(f *testing.F) {
	for _, seed := range []string{"LON." + id, id, "XXX." + id, "..", "%2e%2e", "LON." + id + "/../SYD." + id, "//evil.example", "@evil.example:80", "%0d%0aHost:%20evil", "\\evil", "LON%2E" + id, "é", "?a;b", "#x"} {
		f.Add(seed, seed)
	}
	s := newRoutedApps(f, "")
	f.Fuzz(func(t *testing.T, inPath, inHeader string) {
		r, err := http.NewRequest(http.MethodPost, s.front.URL+"/v1/carts/"+inPath, http.NoBody)
		if err != nil {
			return
		}
		sent := r.URL.EscapedPath()
		r.Header.Set("X-Geoshard-Handle", inHeader)
		r.Header.Set("Cookie", "geoshard_home="+inHeader)
		s.forget()
		res, err := s.client.Do(r)
		if err != nil {
			var bad net.Error
			if errors.As(err, &bad) && bad.Timeout() {
				t.Fatal(err)
			}
			return // the client itself refuses such a header
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if to := res.Header.Get("Location"); to != "" && !strings.HasPrefix(to, "http://lon.example:8082/shop/") && !strings.HasPrefix(to, "http://syd.example:8083/") {
			t.Errorf("redirected to %q", to)
		}
		for _, got := range seen(s) {
			if got.URL.EscapedPath() != sent {
				t.Errorf("sent %q, the application got %q", sent, got.URL.EscapedPath())
			}
		}
	})
}
