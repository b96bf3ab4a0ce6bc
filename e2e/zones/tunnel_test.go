package zones_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// A tunnel listens at another address of this machine than the members, and counts its connections.
type tunnel struct {
	net.Listener
	connections atomic.Int64
}

// newTunnel listens until the test ends. No member has its address in a certificate: theirs are of 127.0.0.1.
func newTunnel(t *testing.T) *tunnel {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil { // macOS has no such address
		listener, err = net.Listen("tcp", "[::1]:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return &tunnel{Listener: listener}
}

func (l *tunnel) host() string {
	host, _, _ := net.SplitHostPort(l.Addr().String())
	return host
}

// pass connects what comes with what dial leads to.
func (l *tunnel) pass(t *testing.T, dial func() (net.Conn, error)) {
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return // closed
			}
			l.connections.Add(1)
			go func() {
				defer from.Close()
				onto, err := dial()
				if err != nil {
					return
				}
				defer onto.Close()
				context.AfterFunc(t.Context(), func() { _ = from.Close(); _ = onto.Close() })
				go func() { _, _ = io.Copy(onto, from); _ = onto.Close() }()
				_, _ = io.Copy(from, onto)
			}()
		}
	}()
}

// passDecrypted shows a certificate to who comes, and encrypts anew on the way to a server whose authority's certificate is in a file.
func (l *tunnel) passDecrypted(t *testing.T, certificate, to, ca string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	l.Listener = tls.NewListener(l.Listener, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}})
	l.pass(t, func() (net.Conn, error) {
		return tls.Dial("tcp", to, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots})
	})
}

// throughTunnels verifies where a member is reached at another address: it has to show a certificate of the name that it has in its set. One of the address is
// somebody else's, though the same authority signed it.
func (s access) throughTunnels(t *testing.T, verify []string, member *url.URL) {
	t.Helper()
	ca := member.Query().Get("tlsCAFile")
	a := newAuthority(t, "an authority of tunnels")
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	both := a.write("both.pem", block, &pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	shards := file(t, "shards.uri", edit(t, member.String(), func(_ *url.URL, query url.Values) { query.Set("tlsCAFile", both) }))

	plain, honest, posing := newTunnel(t), newTunnel(t), newTunnel(t)
	plain.pass(t, func() (net.Conn, error) { return net.Dial("tcp", member.Host) })
	honest.passDecrypted(t, a.issueAt("127.0.0.1", "member.pem", pkix.Name{CommonName: "member"}), member.Host, ca)
	posing.passDecrypted(t, a.issueAt(posing.host(), "tunnel.pem", pkix.Name{CommonName: "tunnel"}), member.Host, ca)
	for _, c := range []struct {
		name    string
		through *tunnel
		code    int
		want    string
	}{
		{"the member's own certificate", plain, 0, "clean: "},
		{"another certificate of the member's name", honest, 0, "clean: "},
		{"a certificate of the tunnel's address", posing, 1, "certificate is valid for " + posing.host() + ", not 127.0.0.1"},
	} {
		code, output := geoshard(t, append(verify, "--shard-credentials", shards, "--host-map", member.Host+"="+c.through.Addr().String())...)
		if code != c.code || !strings.Contains(output, c.want) {
			t.Errorf("%s: got exit code %d, want %d and %q:\n%s", c.name, code, c.code, c.want, output)
		}
		if c.through.connections.Load() == 0 {
			t.Errorf("%s: the tunnel was not used", c.name)
		}
		// A shard that was not looked at is not clean, however clean the others are.
		if unproved := strings.Contains(output, "not proved: "); unproved != (c.code == 1) || unproved == strings.Contains(output, "clean") {
			t.Errorf("%s: another verdict:\n%s", c.name, output)
		}
	}
}
