package devmongos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
)

// tlsEnds reads the router's certificate, with which it answers clients and presents itself to members, and the authority that members'
// certificates have to come from. Clients need no certificate of their own.
func tlsEnds(certificateKeyFile, caFile string) (toMembers, toClients *tls.Config, err error) {
	own, err := tls.LoadX509KeyPair(certificateKeyFile, certificateKeyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read certificate: %w", err)
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("read certificate authority: %s holds no certificate", caFile)
	}
	certificates := []tls.Certificate{own}
	toMembers = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: certificates, RootCAs: pool}
	toClients = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: certificates}
	return toMembers, toClients, nil
}

// encrypt makes the connection to a member a TLS one, if the cluster's are. On an error the connection is closed.
func (g *guard) encrypt(ctx context.Context, nc net.Conn, address string) (net.Conn, error) {
	if g.toMembers == nil {
		return nc, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	config := g.toMembers.Clone()
	config.ServerName = host
	c := tls.Client(nc, config)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("agree on TLS with %s: %w", address, err)
	}
	return c, nil
}

// listen makes the clients' connections TLS ones, if the cluster's are. The handshake comes with the first read, so that a slow client
// keeps nobody waiting; one that speaks no TLS is disconnected by it.
func (g *guard) listen(l net.Listener) net.Listener {
	if g.toClients == nil {
		return l
	}
	return tls.NewListener(l, g.toClients)
}
