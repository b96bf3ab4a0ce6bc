package gintoken

import "github.com/gin-gonic/gin"

// A tokenWriter puts the token among the headers right before they are sent. What a handler does in the database after that is not in it.
type tokenWriter struct {
	gin.ResponseWriter
	out func()
}

func (w *tokenWriter) beforeHeaders() {
	if !w.Written() {
		w.out()
	}
}

// Write sends the headers first.
func (w *tokenWriter) Write(b []byte) (int, error) {
	w.beforeHeaders()
	return w.ResponseWriter.Write(b)
}

// WriteString sends the headers first.
func (w *tokenWriter) WriteString(s string) (int, error) {
	w.beforeHeaders()
	return w.ResponseWriter.WriteString(s)
}

// WriteHeaderNow sends the headers.
func (w *tokenWriter) WriteHeaderNow() {
	w.beforeHeaders()
	w.ResponseWriter.WriteHeaderNow()
}

// Flush sends the headers first.
func (w *tokenWriter) Flush() {
	w.beforeHeaders()
	w.ResponseWriter.Flush()
}
