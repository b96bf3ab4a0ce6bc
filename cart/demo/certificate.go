package demo

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is that of a server, from two files. It is read again when one of them has changed, so that renewing it needs no restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	changed [2]time.Time     // guarded by mu; of the files, when they were read
	now     *tls.Certificate // guarded by mu
}

// readCertificate reads the certificate for the first time.
func readCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	changed, err := c.times()
	if err == nil {
		c.changed = changed
		err = c.read()
	}
	if err != nil {
		return nil, fmt.Errorf("read the server's certificate: %w", err)
	}
	return c, nil
}

// get returns the certificate for a connection. Files that cannot be read leave the one that there is: they may be half written.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed, err := c.times()
	if err != nil || changed == c.changed {
		return c.now, nil
	}
	if err := c.read(); err != nil {
		c.log.Warn("the certificate has changed and cannot be read; the old one goes on", "error", err)
		return c.now, nil // the next connection tries again
	}
	c.changed = changed
	c.log.Info("the certificate has been read again")
	return c.now, nil
}

func (c *certificate) times() (changed [2]time.Time, err error) {
	for i, file := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(file)
		if err != nil {
			return changed, err
		}
		changed[i] = info.ModTime()
	}
	return changed, nil
}

// read reads the files. mu is held, or nobody else knows c yet.
func (c *certificate) read() error {
	now, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err == nil {
		c.now = &now
	}
	return err
}
