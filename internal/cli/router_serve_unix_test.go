//go:build unix

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/geoshard/geoshard/internal/testkit"
)

const twoPlaces = `version: 1
datacenters: {NYC: {name: New York}, LON: {name: London}}
links: [{between: [NYC, LON], rtt: 76ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 10}, {dc: LON, priority: 5}]}
  lon: {members: [{dc: LON, priority: 10}, {dc: NYC, priority: 5}]}
zones: {NYC: {shards: [nyc]}, LON: {shards: [lon]}}
namespaces: {shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}}
router: {upstreams: {NYC: [%q], LON: [%q]}}
`

// A talk is written by the command while the test reads.
type talk struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (t *talk) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *talk) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// await waits until the talk has a text so many times.
func (t *talk) await(test *testing.T, text string, times int) {
	test.Helper()
	defer func() {
		if test.Failed() {
			test.Log(t)
		}
	}()
	testkit.Eventually(test, testkit.Patience, fmt.Sprintf("the command says %q %d times", text, times), func() bool {
		return strings.Count(t.String(), text) >= times
	})
}

// The command serves, refuses a file that cannot be used and goes on, reads again on SIGHUP instead of ending, and ends with its context.
func TestRouterServe(t *testing.T) {
	app := func(dc string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, dc) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	file := filepath.Join(t.TempDir(), "geoshard.yaml")
	text := fmt.Sprintf(twoPlaces, app("NYC"), app("LON"))
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, ended := &talk{}, make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"router", "serve", "-f", file, "--dc", "NYC", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, strings.NewReader(""), said, said)
	}()
	said.await(t, `"msg":"serving"`, 1)
	var serving struct{ Address string }
	if err := json.Unmarshal([]byte(strings.SplitN(said.String(), "\n", 2)[0]), &serving); err != nil {
		t.Fatal(err)
	}
	served := func() string {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+serving.Address+"/x", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Geoshard-Handle", "LON.01K4B4B2V8G3T0000000000000")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := served(); got != "LON" {
		t.Errorf("got %q", got)
	}
	write(strings.Replace(text, "NYC: [", "XXX: [", 1))
	said.await(t, "the configuration was not taken", 1)
	write(text)
	said.await(t, "the configuration was read", 1)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said.await(t, "the configuration was read", 2)
	if got := served(); got != "LON" {
		t.Errorf("after all that: got %q", got)
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("it ended with %d: %s", code, said)
	}
}

// Without TLS it is not reached by strangers unless that is wanted.
func TestRouterServeListensHere(t *testing.T) {
	for args, want := range map[string]string{
		"--listen 0.0.0.0:0":       "can be reached from other machines, and there is no TLS",
		"--admin-listen 0.0.0.0:0": "--admin-listen 0.0.0.0:0 can be reached from other machines",
	} {
		var out bytes.Buffer
		if code := Main(t.Context(), append([]string{"router", "serve", "--dc", "NYC"}, strings.Fields(args)...), strings.NewReader(""), &out, &out); code != exitFailed || !strings.Contains(out.String(), want) {
			t.Errorf("%s: got %d %s", args, code, &out)
		}
	}
}
