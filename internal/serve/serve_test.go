package serve_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/geoshard/geoshard/internal/serve"
)

func TestOnThisMachine(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:0": true, "[::1]:80": true, "localhost:80": true,
		":8080": false, "0.0.0.0:1": false, "[::]:1": false, "example.net:1": false, "192.0.2.1:1": false, "8080": false, "127.0.0.1": false, "": false,
	} {
		if got := serve.OnThisMachine(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// What does not end in time is broken off, on every server.
func TestRequestsThatDoNotEndAreBrokenOff(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	asked, broken := make(chan struct{}), make(chan struct{})
	endless := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(broken)
	})
	first, second := listen(t), listen(t)
	ended := make(chan error)
	go func() {
		ended <- serve.Run(ctx, 20*time.Millisecond,
			serve.Server{Server: &http.Server{Handler: endless, ReadHeaderTimeout: time.Second}, On: first},
			serve.Server{Server: &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}, On: second})
	}()
	go func() {
		if answer, err := http.Get("http://" + first.Addr().String()); err == nil { //nolint:noctx // the server ends it
			_ = answer.Body.Close()
		}
	}()
	<-asked
	stop()
	if err := <-ended; !errors.Is(err, serve.ErrUnfinished) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want ErrUnfinished", err)
	}
	<-broken
	if c, err := net.Dial("tcp", second.Addr().String()); err == nil { //nolint:noctx // it is refused at once
		_ = c.Close()
		t.Error("the second server still listens")
	}
}

// A server that fails ends the others, and says why.
func TestAServerThatFailsEndsTheOthers(t *testing.T) {
	lost, well := listen(t), listen(t)
	_ = lost.Close()
	plain := func() *http.Server { return &http.Server{ReadHeaderTimeout: time.Second} }
	if err := serve.Run(t.Context(), time.Minute, serve.Server{Server: plain(), On: well}, serve.Server{Server: plain(), On: lost}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

// A certificate that is renewed is shown to the next connection; one that is half written is not, and the old one goes on.
func TestCertificatesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	files := serve.TLSFiles{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	written := time.Now().Add(-time.Hour)
	issue := func(serial int64) {
		t.Helper()
		secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
		if err != nil {
			t.Fatal(err)
		}
		keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		written = written.Add(time.Minute)
		for file, block := range map[string]*pem.Block{files.Certificate: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
			if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, written, written); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := serve.NewTLS(files); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without files: got %v", err)
	}
	issue(1)
	live, err := serve.NewTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	var told []error
	following, fixed := live.Following(func(err error) { told = append(told, err) }), live.Server()
	shown := func(config *tls.Config) int64 {
		t.Helper()
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		go func() { _ = tls.Server(there, config).Handshake() }()         //nolint:noctx // it ends with the pipe
		client := tls.Client(here, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test looks at the certificate itself
		if err := client.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		return client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	expect := func(what string, config *tls.Config, want int64) {
		t.Helper()
		if got := shown(config); got != want {
			t.Errorf("%s: got certificate %d, want %d", what, got, want)
		}
	}
	expect("at first", following, 1)
	issue(2)
	expect("renewed, and nobody has looked", fixed, 1)
	expect("renewed", following, 2)
	expect("afterwards", fixed, 2)
	if len(told) != 1 || told[0] != nil {
		t.Errorf("told %v, want one success", told)
	}
	if err := os.WriteFile(files.Certificate, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("half written", following, 2)
	if len(told) != 2 || told[1] == nil {
		t.Errorf("told %v, want a failure", told)
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	expect("gone", following, 2)
	if len(told) != 2 {
		t.Errorf("told %v of files that are being replaced", told)
	}
	issue(3)
	expect("renewed again", following, 3)
}
