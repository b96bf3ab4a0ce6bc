package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/geoshard/geoshard/hint"
)

// TLSFiles name certificates that are read anew at each reload. Empty names mean none.
type TLSFiles struct {
	// Certificate and Key are this side's own (PEM).
	Certificate, Key string
	// Authorities are those whose certificates the other side has to have (PEM). For clients empty means that they need none; for upstreams, that the
	// system's authorities are trusted.
	Authorities string
}

// A liveTLS is a set of TLS files as last read. What fails to load leaves the earlier one in place.
type liveTLS struct {
	files TLSFiles
	now   atomic.Pointer[material]
}

type material struct {
	certificate *tls.Certificate // nil = none
	authorities *x509.CertPool   // nil = none
}

func newLiveTLS(files TLSFiles) (*liveTLS, error) {
	l := &liveTLS{files: files}
	if (files.Certificate == "") != (files.Key == "") {
		return nil, hint.New(errors.New("a certificate and its key belong together"), "name both files, or none")
	}
	return l, l.reload()
}

// reload reads the files.
func (l *liveTLS) reload() error {
	m := &material{}
	if l.files.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(l.files.Certificate, l.files.Key)
		if err != nil {
			return fmt.Errorf("read the certificate %s: %w", l.files.Certificate, err)
		}
		m.certificate = &pair
	}
	if l.files.Authorities != "" {
		text, err := os.ReadFile(l.files.Authorities)
		if err != nil {
			return fmt.Errorf("read the authorities: %w", err)
		}
		m.authorities = x509.NewCertPool()
		if !m.authorities.AppendCertsFromPEM(text) {
			return hint.New(fmt.Errorf("read the authorities: %s holds no certificate", l.files.Authorities), "give certificates in PEM form")
		}
	}
	l.now.Store(m)
	return nil
}

// server is the configuration towards clients.
func (l *liveTLS) server() *tls.Config {
	base := func() *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	outer := base()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m, c := l.now.Load(), base()
		c.Certificates = []tls.Certificate{*m.certificate}
		if m.authorities != nil {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, m.authorities
		}
		return c, nil
	}
	return outer
}

// client is the configuration towards upstreams. Their authorities are fixed when a connection pool is made; own certificates follow the files.
func (l *liveTLS) client() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: l.now.Load().authorities,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c := l.now.Load().certificate; c != nil {
				return c, nil
			}
			return &tls.Certificate{}, nil
		},
	}
}
