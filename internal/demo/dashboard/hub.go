package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// errFull means that as many pages listen as may.
var errFull = errors.New("too many pages are open")

const (
	// mostListeners is many pages for one person; each costs a goroutine and a buffer.
	mostListeners = 24
	// mostWaiting is how many frames a page may be behind before its stream is ended: it connects anew and gets the whole of the present.
	mostWaiting = 512
)

// A frame is one event for the pages.
type frame struct {
	topic string
	data  []byte
}

// A hub tells all pages the same, and a page that comes later what it needs of before: the latest value of topics that are set, and the last entries of those
// that are added to. It is safe for concurrent use.
type hub struct {
	mu        sync.Mutex
	closed    bool
	order     []string // topics, as they first came
	latest    map[string][]byte
	kept      map[string][]json.RawMessage
	listeners map[listener]struct{}
}

// A listener is a page's stream. It is closed when it is behind too far, or the hub ends.
type listener chan frame

func newHub() *hub {
	return &hub{latest: map[string][]byte{}, kept: map[string][]json.RawMessage{}, listeners: map[listener]struct{}{}}
}

// set gives a topic another value.
func (h *hub) set(topic string, value any) {
	data := encode(value)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.know(topic)
	h.latest[topic] = data
	h.tell(frame{topic, data})
}

// add puts an entry to a topic, which keeps the last ones.
func (h *hub) add(topic string, keep int, entry any) {
	data := encode(entry)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.know(topic)
	list := append(h.kept[topic], data)
	if len(list) > keep {
		list = list[len(list)-keep:]
	}
	h.kept[topic] = list
	h.tell(frame{topic, encode([]json.RawMessage{data})})
}

// know notes a topic; mu is held.
func (h *hub) know(topic string) {
	if !slices.Contains(h.order, topic) {
		h.order = append(h.order, topic)
	}
}

// tell hands a frame to everybody; mu is held.
func (h *hub) tell(f frame) {
	for l := range h.listeners {
		select {
		case l <- f:
		default:
			h.dismiss(l)
		}
	}
}

func (h *hub) dismiss(l listener) {
	delete(h.listeners, l)
	close(l)
}

// join adds a page and returns what it has to know of before.
func (h *hub) join() (listener, []frame, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.listeners) >= mostListeners {
		return nil, nil, errFull
	}
	l := make(listener, mostWaiting)
	h.listeners[l] = struct{}{}
	var before []frame
	for _, topic := range h.order {
		if data, ok := h.latest[topic]; ok {
			before = append(before, frame{topic, data})
		} else {
			before = append(before, frame{topic, encode(h.kept[topic])})
		}
	}
	return l, before, nil
}

// leave removes a page; one that was dismissed before is no matter.
func (h *hub) leave(l listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, there := h.listeners[l]; there {
		h.dismiss(l)
	}
}

// close ends all streams, and lets nobody join.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for l := range h.listeners {
		h.dismiss(l)
	}
}

// encode writes one of this package's own values, of which none can fail.
func encode(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic("dashboard: " + err.Error())
	}
	return data
}

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
		case f, open := <-l:
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
	s.write(fmt.Appendf(nil, "event: %s\ndata: %s\n\n", f.topic, f.data))
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
