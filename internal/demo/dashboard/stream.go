package dashboard

import (
	"net/http"
	"time"
)

const (
	// beat keeps a stream that has nothing to say from looking dead.
	beat = 15 * time.Second
	// writeWithin ends the stream of a page that does not read.
	writeWithin = 10 * time.Second
)

// events is the stream of a page (server-sent events): first all that it has to know of before, then what happens.
func (d *Dashboard) events(w http.ResponseWriter, r *http.Request) {
	l, before, err := d.hub.join()
	if err != nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, err.Error(), "close one")
		return
	}
	defer d.hub.leave(l)
	w.Header().Set("Content-Type", "text/event-stream")
	s := stream{w: w, control: http.NewResponseController(w)}
	s.send(frame{"hello", []byte(`{}`)}) // what the page had is void
	for _, f := range before {
		s.send(f)
	}
	s.send(frame{"ready", []byte(`{}`)}) // from here on it is news
	s.flush()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for s.err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			s.write([]byte(":\n\n"))
		case f, open := <-l.frames:
			if !open {
				return
			}
			s.send(f)
		}
		s.flush()
	}
}

// A stream writes frames until one write fails.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

func (s *stream) send(f frame) {
	text := make([]byte, 0, len(f.data)+len(f.topic)+20)
	text = append(append(text, "event: "...), f.topic...)
	text = append(append(text, "\ndata: "...), f.data...)
	s.write(append(text, "\n\n"...))
}

func (s *stream) write(p []byte) {
	if s.err == nil {
		_ = s.control.SetWriteDeadline(time.Now().Add(writeWithin)) // tests' recorders have none
		_, s.err = s.w.Write(p)
	}
}

func (s *stream) flush() {
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
