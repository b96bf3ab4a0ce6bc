package gateway_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A body of any size goes through as it comes: the application has the first part while the client still holds the last one back.
func TestBodiesAreStreamed(t *testing.T) {
	s := newRoutedApps(t, "")
	begun := make(chan struct{})
	s.apps[1].does(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		part := make([]byte, 1024)
		if _, err := io.ReadFull(r.Body, part); err != nil {
			t.Error(err)
		}
		close(begun)
		h.Write(part)
		n, err := io.Copy(h, r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%d %s", n+1024, hex.EncodeToString(h.Sum(nil)))
	})
	const size = 40 << 20
	content := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(content)
	reader, writer := io.Pipe()
	want := sha256.New()
	go func() {
		for sent := 0; sent < size; sent += len(content) {
			if sent == len(content) {
				<-begun // a proxy that waits for the end would wait for ever
			}
			want.Write(content)
			if _, err := writer.Write(content); err != nil {
				t.Error(err)
				break
			}
		}
		writer.Close()
	}()
	r, err := http.NewRequest(http.MethodPut, s.front.URL+"/v1/carts/LON."+id+"/file", reader)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, _ := io.ReadAll(res.Body)
	if wanted := fmt.Sprintf("%d %x", size, want.Sum(nil)); string(got) != wanted {
		t.Errorf("got %s, want %s", got, wanted)
	}
}

// An answer goes to the client as it comes, server-sent events above all.
func TestAnswersAreStreamed(t *testing.T) {
	s := newRoutedApps(t, "")
	next := make(chan struct{})
	s.apps[0].does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next // the client has seen it
		}
	})
	res, err := s.client.Get(s.front.URL + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("got %q, %v", line, err)
		}
		_, _ = lines.ReadString('\n')
		next <- struct{}{}
	}
}

// Trailers reach the client.
func TestTrailersPass(t *testing.T) {
	s := newRoutedApps(t, "")
	s.apps[0].does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "text")
		w.Header().Set("X-Sum", "7")
	})
	if a := s.ask(http.MethodGet, "/", ""); a.Trailer.Get("X-Sum") != "7" {
		t.Errorf("got trailer %v", a.Trailer)
	}
}

// A connection that switches its protocol, as for WebSocket, is a pipe in both directions, wherever the application is.
func TestUpgradesPass(t *testing.T) {
	s := newRoutedApps(t, "")
	s.apps[1].does(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			t.Errorf("got %v", r.Header)
		}
		conn, stream, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := stream.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(conn, strings.ToUpper(line))
		}
	})
	conn := dialFront(t, s.front.URL)
	fmt.Fprintf(conn, "GET /v1/carts/LON.%s/visit HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", id)
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %+v, %v", res, err)
	}
	for _, line := range []string{"one\n", "two\n"} {
		fmt.Fprint(conn, line)
		if got, err := reader.ReadString('\n'); err != nil || got != strings.ToUpper(line) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// dialFront connects without a client that would mend what is sent.
func dialFront(t testing.TB, front string) net.Conn {
	t.Helper()
	u, err := url.Parse(front)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}
