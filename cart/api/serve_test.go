package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A whole instance over a real connection: it serves, invalidates what a notice delays, prices the shipping, logs no key and no token, and ends in peace.
func TestAnInstanceRunsAndEnds(t *testing.T) {
	uri, err := running(t).URI("SYD")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready, ended, logged := make(chan string, 1), make(chan error, 1), &buffer{}
	go func() {
		ended <- server.Run(ctx, server.Options{
			Target: server.Target{URI: uri, World: running(t).Topology()}, DataCenter: "SYD", Listen: "127.0.0.1:0",
			Log: slog.New(slog.NewJSONHandler(logged, nil)), Ready: func(address string) { ready <- address },
		})
	}()
	var address string
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	call := func(method, path, body string, headers ...header) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for _, h := range headers {
			h(r.Header)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	answer := call(http.MethodPost, "/v1/carts", "{}", once())
	token := answer.Header.Get("X-Geoshard-Token")
	path := "/v1/carts/" + read[cart.Cart](t, answer, http.StatusCreated).Handle.String()
	for _, sku := range []string{"book", "umbrella"} {
		read[cart.Cart](t, call(http.MethodPost, path+"/items", `{"sku":"`+sku+`","quantity":1}`, once()), http.StatusOK)
	}
	read[cart.Notice](t, call(http.MethodPost, "/v1/notices", `{"sku":"umbrella","until":"2099-01-01T00:00:00Z"}`, once()), http.StatusCreated)
	testkit.EventuallyNil(t, testkit.Patience, "the umbrella is marked, and one thing is to be shipped", func(context.Context) error {
		c := read[cart.Cart](t, call(http.MethodGet, path+"?profile=durable", ""), http.StatusOK)
		if len(c.Active()) != 1 || c.Shipping == nil || c.Shipping.Items != 1 || c.Shipping.Version != c.Version {
			return fmt.Errorf("the cart is %+v", c)
		}
		return nil
	})
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if log := logged.String(); token == "" || strings.Contains(log, token) || !strings.Contains(log, `"msg":"inventory"`) || !strings.Contains(log, `"path":"`+path) {
		t.Errorf("got log %s", log)
	}
}

// A buffer is written by several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

var _ io.Writer = (*buffer)(nil)

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
