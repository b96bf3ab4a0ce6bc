package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/geoshard/geoshard/hint"
)

// TLSFiles name certificates that are read anew at each reload. Empty names mean none.
type TLSFiles struct {
	// Certificate and Key are this side's own (PEM).
	Certificate, Key string
	// Authorities are those whose certificates the other side has to have (PEM). For a server empty means that clients need none; for a client, that the
	// system's authorities are trusted.
	Authorities string
}

// changed says when the files were written. It is false while one cannot be looked at.
func (f TLSFiles) changed() (at [3]time.Time, ok bool) {
	for i, file := range []string{f.Certificate, f.Key, f.Authorities} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return at, false
		}
		at[i] = info.ModTime()
	}
	return at, true
}

// A TLS is a set of TLS files as last read. What fails to load leaves the earlier one in place: it may be half written.
type TLS struct {
	files TLSFiles
	now   atomic.Pointer[material]
}

type material struct {
	changed     [3]time.Time     // before they were read
	certificate *tls.Certificate // nil = none
	authorities *x509.CertPool   // nil = none
}

// NewTLS reads the files for the first time.
func NewTLS(files TLSFiles) (*TLS, error) {
	t := &TLS{files: files}
	if (files.Certificate == "") != (files.Key == "") {
		return nil, hint.New(errors.New("a certificate and its key belong together"), "name both files, or none")
	}
	return t, t.Reload()
}

// Reload reads the files.
func (t *TLS) Reload() error {
	m := &material{}
	m.changed, _ = t.files.changed()
	if t.files.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(t.files.Certificate, t.files.Key)
		if err != nil {
			return fmt.Errorf("read the certificate %s: %w", t.files.Certificate, err)
		}
		m.certificate = &pair
	}
	if t.files.Authorities != "" {
		text, err := os.ReadFile(t.files.Authorities)
		if err != nil {
			return fmt.Errorf("read the authorities: %w", err)
		}
		m.authorities = x509.NewCertPool()
		if !m.authorities.AppendCertsFromPEM(text) {
			return hint.New(fmt.Errorf("read the authorities: %s holds no certificate", t.files.Authorities), "give certificates in PEM form")
		}
	}
	t.now.Store(m)
	return nil
}

// Server is the configuration towards clients, for files with a certificate. Connections to come get what was read last.
func (t *TLS) Server() *tls.Config { return t.server(func() {}) }

// Following is Server, and looks before each connection whether the files have changed. It reloads them by itself then, and tells what came of that.
func (t *TLS) Following(told func(error)) *tls.Config {
	var reloading sync.Mutex // once for each change
	return t.server(func() {
		reloading.Lock()
		defer reloading.Unlock()
		if at, ok := t.files.changed(); ok && at != t.now.Load().changed {
			told(t.Reload()) // after a failure the next connection tries again
		}
	})
}

func (t *TLS) server(look func()) *tls.Config {
	base := func() *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	outer := base()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		look()
		m, c := t.now.Load(), base()
		c.Certificates = []tls.Certificate{*m.certificate}
		if m.authorities != nil {
			c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, m.authorities
		}
		return c, nil
	}
	return outer
}

// Client is the configuration towards servers. Their authorities are fixed when a connection pool is made; own certificates follow the files.
func (t *TLS) Client() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: t.now.Load().authorities,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c := t.now.Load().certificate; c != nil {
				return c, nil
			}
			return &tls.Certificate{}, nil
		},
	}
}
