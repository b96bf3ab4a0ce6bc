package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/router/gateway"
)

// An authority signs certificates for this machine.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("authority", nil, nil)
	return a
}

// sign makes a certificate and writes it with its key to files of the name.
func (a *authority) sign(name string, by *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	a.next++
	template := &x509.Certificate{SerialNumber: big.NewInt(a.next), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: by == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if by == nil {
		by, with = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, &key.PublicKey, with)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", secret)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// files are those of a name.
func (a *authority) files(name string) gateway.TLSFiles {
	return gateway.TLSFiles{Certificate: filepath.Join(a.dir, name+".pem"), Key: filepath.Join(a.dir, name+".key"), Authorities: filepath.Join(a.dir, "authority.pem")}
}

// config is a configuration of the name's certificate, for the other side.
func (a *authority) config(name string) *tls.Config {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	c := &tls.Config{RootCAs: pool, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.files(name).Certificate, a.files(name).Key)
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// Clients and upstreams speak HTTP/2 with certificates on both sides, and a new certificate is taken by a reload.
func TestMutualTLSAndHTTP2OnBothSides(t *testing.T) {
	a := newAuthority(t)
	for _, name := range []string{"front", "client", "application", "gateway"} {
		a.sign(name, a.cert, a.key)
	}
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	app.TLS, app.EnableHTTP2 = a.config("application"), true
	app.TLS.ClientAuth = tls.RequireAndVerifyClientCert
	app.StartTLS()
	defer app.Close()
	world := worldOf(t, [3][]string{{app.URL}, {app.URL + "/lon"}, {app.URL + "/syd"}}, "")
	gate, err := gateway.New(gateway.Options{World: world, Here: "NYC", UpstreamTLS: a.files("gateway")})
	if err != nil {
		t.Fatal(err)
	}
	server, address, end := running(t, gate, gateway.ServeOptions{TLS: a.files("front")})
	defer end()
	ask := func(name string) (answer, error) {
		transport := &http.Transport{TLSClientConfig: a.config(name), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		return read((&http.Client{Transport: transport, Timeout: time.Minute}).Get("https://" + address + "/x"))
	}
	got, err := ask("client")
	if err != nil || got.Proto != "HTTP/2.0" || got.text != "HTTP/2.0 gateway" {
		t.Fatalf("got %v %q, %v", got.Response, got.text, err)
	}
	if _, err := ask(""); err == nil {
		t.Error("a client without a certificate was served")
	}
	serial := got.TLS.PeerCertificates[0].SerialNumber
	a.sign("front", a.cert, a.key)
	if err := server.ReloadTLS(); err != nil {
		t.Fatal(err)
	}
	if got, err = ask("client"); err != nil || got.TLS.PeerCertificates[0].SerialNumber.Cmp(serial) == 0 {
		t.Errorf("after the reload: the old certificate, %v", err)
	}
	// A broken file keeps the old one.
	if err := os.WriteFile(a.files("front").Certificate, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.ReloadTLS(); err == nil {
		t.Error("a broken certificate was taken")
	}
	if _, err = ask("client"); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}
	if err := gate.Reload(world, nil); err != nil {
		t.Error(err)
	}
	if got, err = ask("client"); err != nil || got.text != "HTTP/2.0 gateway" {
		t.Errorf("after new connections to upstreams: %q, %v", got.text, err)
	}
}

// running serves a gateway. The returned function ends it.
func running(t testing.TB, gate *gateway.Gateway, o gateway.ServeOptions) (*gateway.Server, string, func()) {
	t.Helper()
	var err error
	if o.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	server, err := gateway.NewServer(gate, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	return server, o.Listener.Addr().String(), func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		gate.Close()
	}
}

// A gateway that is told to stop answers what is under way, and then ends.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	app := newApplication(t, "NYC")
	app.does(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	far, farther := newApplication(t, "LON"), newApplication(t, "SYD")
	registry := prometheus.NewRegistry()
	gate, err := gateway.New(gateway.Options{World: worldOf(t, [3][]string{{app.URL}, {far.URL}, {farther.URL}}, ""), Here: "NYC", Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	_, address, end := running(t, gate, gateway.ServeOptions{})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	got := make(chan answer, 1)
	go func() {
		a, err := read((&http.Client{Transport: transport, Timeout: time.Minute}).Get("http://" + address + "/"))
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	<-arrived
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	underWay := 0.0
	for _, f := range families {
		if f.GetName() == "geoshard_gateway_requests_under_way" {
			underWay = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if underWay != 1 {
		t.Errorf("%v requests are under way, want 1", underWay)
	}
	go func() {
		testkit.Eventually(t, testkit.Patience, "the listener is closed", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		close(release)
	}()
	end()
	if a := <-got; a.text != "done" {
		t.Errorf("got %q", a.text)
	}
}

// Headers beyond the limit are refused by the server, whatever the handler.
func TestHeadersAreLimited(t *testing.T) {
	s := newRoutedApps(t, "")
	gate, err := gateway.New(gateway.Options{World: s.world, Here: "NYC"})
	if err != nil {
		t.Fatal(err)
	}
	_, address, end := running(t, gate, gateway.ServeOptions{})
	defer end()
	if got := raw(t, "http://"+address, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 80<<10)+"\r\n\r\n"); len(got) != 1 || got[0] != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %v, want 431", got)
	}
}

// Upstreams can speak HTTP/2 without TLS; upgrades still get an HTTP/1.1 connection.
func TestUpstreamsSpeakH2C(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	app.Config.Protocols = new(http.Protocols)
	app.Config.Protocols.SetHTTP1(true)
	app.Config.Protocols.SetUnencryptedHTTP2(true)
	app.Start()
	defer app.Close()
	gate, front, client := gatewayOf(t, worldOf(t, [3][]string{{app.URL}, {app.URL + "/lon"}, {app.URL + "/syd"}}, ""), func(o *gateway.Options) { o.H2C = true })
	s := &routedApps{t: t, gate: gate, front: front, client: client}
	if a := s.ask(http.MethodPost, "/", "text"); a.text != "HTTP/2.0" {
		t.Errorf("got %q", a.text)
	}
	if a := s.ask(http.MethodGet, "/", "", "Connection", "Upgrade", "Upgrade", "websocket"); a.text != "HTTP/1.1" {
		t.Errorf("an upgrade: got %q", a.text)
	}
}

// A client that takes for ever to say what it wants is let go of, and one that sends more header than any needs is refused.
func TestHeadersComeInTimeAndAreShort(t *testing.T) {
	s := newRoutedApps(t, "")
	_, address, end := running(t, s.gate, gateway.ServeOptions{HeaderWithin: 200 * time.Millisecond})
	defer end()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/carts HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	if text, err := io.ReadAll(conn); err != nil || strings.HasPrefix(string(text), "HTTP/1.1 2") {
		t.Errorf("a header that never ends: got %q, %v", text, err)
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/v1/carts", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", 100<<10))
	// The server may close before the client has read its answer.
	got, err := read(http.DefaultClient.Do(r))
	if err == nil && got.StatusCode != http.StatusRequestHeaderFieldsTooLarge || len(seen(s)) > 0 {
		t.Errorf("a header of 100 KiB: got %+v, %v; the application saw %d requests", got.Response, err, len(seen(s)))
	}
}

// A request's trace goes on through the gateway: its span is the client's child and the upstream's parent.
func TestTracesGoOn(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Traces = traces })
	_, address, end := running(t, s.gate, gateway.ServeOptions{})
	const trace, client = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	r, err := http.NewRequest(http.MethodPut, "http://"+address+"/v1/carts/LON."+id+"/items/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Traceparent", "00-"+trace+"-"+client+"-01")
	if got, err := read(http.DefaultClient.Do(r)); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("got %+v, %v", got, err)
	}
	end() // the span ends after its answer
	ended := spans.Ended()
	if len(ended) != 1 || ended[0].SpanContext().TraceID().String() != trace || ended[0].Parent().SpanID().String() != client {
		t.Fatalf("got %d spans: %+v", len(ended), ended)
	}
	want := "00-" + trace + "-" + ended[0].SpanContext().SpanID().String() + "-01"
	if got := seen(s)[0].Header.Get("Traceparent"); got != want {
		t.Errorf("the application got %q, want %q", got, want)
	}
}
