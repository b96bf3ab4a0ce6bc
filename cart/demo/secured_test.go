package demo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
)

// lightest is a cluster of one server, with passwords and certificates: its subject is who gets in.
var lightest = clustertest.World{
	YAML: `version: 1
datacenters: {LON: {name: London, countries: [GB]}}
shards: {lon: {members: [{dc: LON}]}}
zones: {LON: {shards: [lon]}}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}
`,
	Options: local.Options{Name: "secured", Auth: true, TLS: true},
}

// secured returns the files with the cluster's connection string and its topology.
func secured(t *testing.T) (uriFile, topologyFile string) {
	t.Helper()
	c := lightest.Start(t)
	uri, err := c.SecretURI("LON")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(uri, "@") || !strings.Contains(uri, "tls=true") {
		t.Fatal("the cluster has no passwords or no certificates")
	}
	dir := t.TempDir()
	uriFile, topologyFile = filepath.Join(dir, "shop.uri"), filepath.Join(dir, "geoshard.yaml")
	for file, text := range map[string]string{uriFile: uri + "\n", topologyFile: lightest.YAML} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return uriFile, topologyFile
}

// A shop on a cluster with passwords and certificates, over TLS of its own, with its traces sent away: by the commands, as a user would.
func TestTheShopOnASecuredCluster(t *testing.T) {
	uriFile, topologyFile := secured(t)
	uri, err := os.ReadFile(uriFile)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(uri), "://")
	_, rest, _ = strings.Cut(rest, ":")
	password, _, _ := strings.Cut(rest, "@")
	spans := receive(t)
	var out buffer
	if code := demo.Main(t.Context(), []string{"setup", "--uri-file", uriFile, "-f", topologyFile}, &out, &out); code != 0 {
		t.Fatalf("setup: exit code %d: %s", code, out.String())
	}
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	first := issue(t, certFile, keyFile, time.Now())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- demo.Main(ctx, []string{"serve", "--dc", "LON", "--uri-file", uriFile, "-f", topologyFile, "--listen", "0.0.0.0:0",
			"--tls-certificate-file", certFile, "--tls-key-file", keyFile, "--timeout", "30s"}, &out, &out)
	}()
	address := "127.0.0.1:" + out.await(t, regexp.MustCompile(`"msg":"serving".*"address":"\[?[^"]*:(\d+)"`))
	call(t, address, first, http.MethodGet, "/readyz", "")
	made := call(t, address, first, http.MethodPost, "/v1/carts?profile=durable", `{"customer":"amy"}`)
	if cookie := made.Header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
		t.Errorf("got cookie %q, want one that stays within TLS", cookie)
	}
	if answer, err := http.Get("http://" + address + "/healthz"); err == nil { //nolint:noctx // it is refused at once
		if answer.StatusCode == http.StatusOK {
			t.Error("without TLS: got 200")
		}
		_ = answer.Body.Close()
	}

	second := issue(t, certFile, keyFile, time.Now().Add(time.Minute))
	call(t, address, second, http.MethodGet, "/healthz", "")
	if err := os.WriteFile(certFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, address, second, http.MethodGet, "/healthz", "")

	stop()
	if code := <-ended; code != 0 {
		t.Errorf("serve: exit code %d: %s", code, out.String())
	}
	spans.check(t)
	if password == "" || strings.Contains(out.String(), password) {
		t.Error("the password is in the output")
	}
}

// call sends a request over a connection of its own, and trusts one certificate alone.
func call(t *testing.T, address string, trusted *x509.Certificate, method, path, body string) *http.Response {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(trusted)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key())
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: got %s: %s, %v", method, path, answer.Status, text, err)
	}
	_ = answer.Body.Close()
	return answer
}

// issue writes a certificate for this machine and its key. changed is when the files say that they were written.
func issue(t *testing.T, certFile, keyFile string, changed time.Time) *x509.Certificate {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(changed.UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// A receiver takes traces as a collector does: OTLP over HTTP.
type receiver struct {
	mu       sync.Mutex
	requests []*collector.ExportTraceServiceRequest // guarded by mu
}

// receive starts a receiver, and says in OpenTelemetry's own variable where it is.
func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body := io.Reader(request.Body)
		if request.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		text, err := io.ReadAll(body)
		var export collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(text, &export)
		}
		if err != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", request.URL.Path, err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests = append(r.requests, &export)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	return r
}

// check looks for the request that made a cart and, below it, the command that wrote it.
func (r *receiver) check(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	made, written := map[string]bool{}, map[string]bool{}
	services, all := map[string]bool{}, 0
	for _, request := range r.requests {
		for _, resource := range request.ResourceSpans {
			for _, attribute := range resource.Resource.Attributes {
				if attribute.Key == "service.name" {
					services[attribute.Value.GetStringValue()] = true
				}
			}
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					all++
					switch span.Name {
					case "POST /v1/carts":
						made[string(span.SpanId)] = true
					case "insert":
						written[string(span.ParentSpanId)] = true
					}
				}
			}
		}
	}
	below := 0
	for id := range made {
		if written[id] {
			below++
		}
	}
	if len(made) != 1 || below != 1 || !services["cartdemo"] {
		t.Errorf("got %d requests for carts, %d with their write, of %v, in %d spans", len(made), below, services, all)
	}
	t.Logf("%d spans in %d messages", all, len(r.requests))
}

// A buffer is written by several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// await returns the first group of what is written, as soon as it is.
func (b *buffer) await(t *testing.T, what *regexp.Regexp) string {
	t.Helper()
	var found []string
	testkit.EventuallyNil(t, testkit.Patience, what.String()+" is written", func(context.Context) error {
		if found = what.FindStringSubmatch(b.String()); found == nil {
			return fmt.Errorf("so far: %s", b.String())
		}
		return nil
	})
	return found[1]
}
