package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/router/gateway"
	"github.com/geoshard/geoshard/topology"
)

// A book is a directory that tests write. near may be behind now.
type book struct {
	mu        sync.Mutex
	near, now map[string]string // guarded by mu
	asked     int               // guarded by mu
	err       error             // guarded by mu
}

func (b *book) look(in map[string]string, id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	if home, ok := in[id]; ok || b.err != nil {
		return home, b.err
	}
	return "", router.ErrNoSuchRecord
}

func (b *book) Home(_ context.Context, id string) (string, error)    { return b.look(b.near, id) }
func (b *book) HomeNow(_ context.Context, id string) (string, error) { return b.look(b.now, id) }

func (b *book) set(id, near, now string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.near, b.now = map[string]string{}, map[string]string{}
	if near != "" {
		b.near[id] = near
	}
	if now != "" {
		b.now[id] = now
	}
}

// shop answers as the shop does for a record that is at home in one datacenter: who asks for it under another handle is told that there is none. behind are the
// datacenters whose copies do not have it yet.
func (s *routedApps) shop(home string, behind ...topology.DatacenterID) {
	for _, app := range s.apps {
		app.does(func(w http.ResponseWriter, r *http.Request) {
			late := false
			for _, dc := range behind {
				late = late || dc == app.dc
			}
			if r.Method != http.MethodGet {
				late = false // is written at the primary
			}
			if late || !strings.Contains(r.URL.Path, home+"."+id) {
				_, _ = io.Copy(io.Discard, r.Body)
				problem(w, http.StatusNotFound, "not-found")
				return
			}
			app.echo(w, r)
		})
	}
}

// An old handle still works: whatever copies nearby say, the request gets to the record's home and the client learns the new handle.
func TestOldHandlesStillWork(t *testing.T) {
	for _, c := range []struct{ name, near, now string }{
		{"copies nearby have it", "LON", "LON"},
		{"copies nearby are behind", "SYD", "LON"},
		{"copies nearby have neither", "", "LON"},
		{"copies nearby have a third home", "NYC", "LON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &book{}
			b.set(id, c.near, c.now)
			s := newRoutedApps(t, "", func(o *gateway.Options) { o.Directory = b })
			s.shop("LON")
			for _, method := range []string{http.MethodPost, http.MethodDelete, http.MethodGet} {
				a := s.ask(method, "/v1/carts/SYD."+id+"/items/x?y=1", "text")
				if a.StatusCode != http.StatusOK || a.Header.Get("X-Geoshard-Handle") != "LON."+id || !strings.HasSuffix(a.text, "/v1/carts/LON."+id+"/items/x?y=1 text") {
					t.Errorf("%s: got %s, handle %q: %s", method, a.Status, a.Header.Get("X-Geoshard-Handle"), a.text)
				}
			}
			asked := b.asked
			if a := s.ask(http.MethodPost, "/v1/carts/SYD."+id+"/items", ""); a.StatusCode != http.StatusOK || b.asked != asked {
				t.Errorf("again: got %s, and the directory was asked %d times more", a.Status, b.asked-asked)
			}
			// It moves on: what is remembered is wrong now.
			b.set(id, "LON", "NYC")
			s.shop("NYC")
			for _, handle := range []string{"SYD.", "LON.", "NYC."} {
				if a := s.ask(http.MethodPost, "/v1/carts/"+handle+id+"/items", ""); a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "NYC" {
					t.Errorf("moved on, by %s: got %s by %q", handle, a.Status, a.Header.Get("X-Served-By"))
				}
			}
		})
	}
}

// The handle is put in its place wherever the request names the record.
func TestHandlesAreRewrittenWhereTheyStand(t *testing.T) {
	b := &book{}
	b.set(id, "LON", "LON")
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Directory = b })
	s.apps[1].does(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Geoshard-Handle") + r.URL.Query().Get("handle"); got != "LON."+id {
			problem(w, http.StatusNotFound, "not-found")
			return
		}
		s.apps[1].echo(w, r)
	})
	for _, app := range []*application{s.apps[0], s.apps[2]} {
		app.does(func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusNotFound, "not-found") })
	}
	if a := s.ask(http.MethodPost, "/x", "", "X-Geoshard-Handle", "SYD."+id); a.StatusCode != http.StatusOK {
		t.Errorf("in the header: got %s", a.Status)
	}
	if a := s.ask(http.MethodPost, "/x?a=b&handle="+id, ""); a.StatusCode != http.StatusOK {
		t.Errorf("in the query, bare: got %s", a.Status)
	}
}

// A bare identifier is looked up before anybody is asked.
func TestBareIdentifiersAreLookedUp(t *testing.T) {
	b := &book{}
	b.set(id, "LON", "LON")
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Directory = b })
	s.shop("LON")
	if a := s.ask(http.MethodPost, "/v1/carts/"+id+"/items", "x"); a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "LON" || a.Header.Get("X-Geoshard-Handle") != "LON."+id {
		t.Errorf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
	}
	if n := len(seen(s)); n != 1 {
		t.Errorf("applications were asked %d times", n)
	}
}

// A copy that is behind its primary is no reason for a 404.
func TestARecordThatCopiesLackIsReadAtItsPrimary(t *testing.T) {
	b := &book{}
	b.set(id, "", "SYD")
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Directory = b })
	s.shop("SYD", "NYC")
	if a := s.ask(http.MethodGet, "/v1/carts/SYD."+id, ""); a.StatusCode != http.StatusOK || a.Header.Get("X-Served-By") != "SYD" {
		t.Errorf("got %s by %q", a.Status, a.Header.Get("X-Served-By"))
	}
}

// What does not exist stays a 404, strangers who guess cost little, and a directory that fails makes no 404.
func TestWhatDoesNotExistStaysSo(t *testing.T) {
	b := &book{}
	b.set(id, "", "")
	s := newRoutedApps(t, "  budget: 1s\n", func(o *gateway.Options) { o.Directory = b })
	s.shop("nowhere")
	for range 20 {
		if a := s.ask(http.MethodPost, "/v1/carts/SYD."+id+"/items", ""); a.StatusCode != http.StatusNotFound || !strings.Contains(a.text, "cartdemo.md#not-found") {
			t.Fatalf("got %s: %s", a.Status, a.text)
		}
	}
	if b.asked > 12 { // two for each second
		t.Errorf("the directory was asked %d times for 20 requests", b.asked)
	}
	b.mu.Lock()
	b.err = errors.New("no database")
	b.mu.Unlock()
	other := strings.Replace(id, "01K4", "01K5", 1)
	if a := s.ask(http.MethodPost, "/v1/carts/SYD."+other+"/items", ""); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(a.text, "router.md#lookup") {
		t.Errorf("a failing directory: got %s: %s", a.Status, a.text)
	}
	// Other problems with 404 are about something else.
	asked := b.asked
	s.apps[2].does(func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusNotFound, "no-item") })
	if a := s.ask(http.MethodDelete, "/v1/carts/SYD."+id+"/items/x", ""); a.StatusCode != http.StatusNotFound || b.asked != asked {
		t.Errorf("no item: got %s, and %d lookups", a.Status, b.asked-asked)
	}
}

// A body that was streamed is gone: the client is sent to the new handle, at this gateway, and sends it again itself.
func TestAStreamedBodyIsAskedForAgain(t *testing.T) {
	b := &book{}
	b.set(id, "LON", "LON")
	s := newRoutedApps(t, "", func(o *gateway.Options) { o.Directory = b })
	s.shop("LON")
	body := strings.Repeat("x", 200_000)
	a := s.ask(http.MethodPut, "/v1/carts/SYD."+id+"/file?x=1", body)
	if a.StatusCode != http.StatusTemporaryRedirect || a.Header.Get("Location") != "/v1/carts/LON."+id+"/file?x=1" {
		t.Fatalf("got %s to %q", a.Status, a.Header.Get("Location"))
	}
	if a = s.ask(http.MethodPut, a.Header.Get("Location"), body); a.StatusCode != http.StatusOK || !strings.HasSuffix(a.text, body) {
		t.Errorf("sent again: got %s", a.Status)
	}
}
