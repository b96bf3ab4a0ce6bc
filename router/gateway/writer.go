package gateway

import (
	"net/http"
	"time"
)

// A writer hands the answer to the client, which may not keep it waiting for ever.
type writer struct {
	http.ResponseWriter
	in     *http.Request
	body   *sendable
	stall  time.Duration
	status int
}

// Unwrap gives http.ResponseController the writer behind.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the status. Before the server answers it reads what is left of a body: the client may not keep it waiting for that either.
func (w *writer) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	if status >= 200 && w.in.ContentLength != 0 && (w.body.client == nil || !w.body.client.ended.Load()) {
		until := time.Now()
		if w.body.failure() == nil {
			until = until.Add(w.stall)
		}
		_ = http.NewResponseController(w.ResponseWriter).SetReadDeadline(until)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write bounds the wait for the client. On HTTP/2 a deadline that passes ends the stream even if nothing is written, so there the connection's own
// bound has to do. The bound is twice the usual one: the server may first wait for what is left of the request's body.
func (w *writer) Write(p []byte) (int, error) {
	if w.in.ProtoMajor == 1 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(2 * w.stall)) // where the connection has ended, the write says so
	}
	return w.ResponseWriter.Write(p)
}
