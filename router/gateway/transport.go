package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// A Dial connects to an upstream, as net.Dialer.DialContext does. Tests put an emulated link in its place.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Bounds of connections to upstreams.
const (
	dialWithin      = 3 * time.Second
	handshakeWithin = 5 * time.Second
	idleFor         = 90 * time.Second
	idlePerHost     = 256
	// continueWithin is how long a body waits for an upstream that was asked whether it wants one.
	continueWithin = time.Second
	mostAnswer     = 256 << 10 // header of an answer
	// pingAfter and pingWithin find HTTP/2 connections that a cut link has left behind.
	pingAfter  = 5 * time.Second
	pingWithin = 5 * time.Second
)

// A dialError says that no connection came about: the upstream has not seen a byte of the request.
type dialError struct{ error }

// Unwrap returns what the dialler said.
func (e *dialError) Unwrap() error { return e.error }

// transports are the ways to the upstreams. Upgrades such as WebSocket are HTTP/1.1 alone.
type transports struct{ usual, upgrade *http.Transport }

// newTransports makes pools of connections. h2c speaks HTTP/2 without TLS to http:// upstreams; with TLS, HTTP/2 is negotiated.
func newTransports(o *Options, upstreamTLS *tls.Config) transports {
	dial := o.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialWithin, KeepAlive: 15 * time.Second}).DialContext
	}
	build := func(h2c bool) *http.Transport {
		t := &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, dialWithin)
				defer cancel()
				conn, err := dial(ctx, network, address)
				if err != nil {
					return nil, &dialError{err}
				}
				return conn, nil
			},
			TLSClientConfig: upstreamTLS, TLSHandshakeTimeout: handshakeWithin, ExpectContinueTimeout: continueWithin,
			MaxIdleConnsPerHost: idlePerHost, MaxConnsPerHost: o.UpstreamConnections, IdleConnTimeout: idleFor, ResponseHeaderTimeout: o.AnswerWithin,
			MaxResponseHeaderBytes: mostAnswer,
			// What the client accepts goes to the upstream, and what that answers goes back: nothing is unpacked on the way.
			DisableCompression: true,
			WriteBufferSize:    8 << 10, ReadBufferSize: 8 << 10,
			HTTP2:     &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWithin},
			Protocols: new(http.Protocols),
		}
		t.Protocols.SetHTTP1(!h2c)
		t.Protocols.SetHTTP2(true)
		t.Protocols.SetUnencryptedHTTP2(h2c)
		return t
	}
	usual := build(o.H2C)
	if !o.H2C {
		return transports{usual, usual}
	}
	return transports{usual, build(false)}
}

// of chooses the transport for a request.
func (t transports) of(out *http.Request) *http.Transport {
	if out.Header["Upgrade"] != nil {
		return t.upgrade
	}
	return t.usual
}

func (t transports) close() {
	t.usual.CloseIdleConnections()
	t.upgrade.CloseIdleConnections()
}
