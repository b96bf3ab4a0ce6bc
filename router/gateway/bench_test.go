package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/geoshard/geoshard/router/gateway"
)

// BenchmarkHop measures the same requests straight to an application, through a bare ReverseProxy, and through the gateway, by turns in one run. ratio is the gateway's
// throughput by the bare proxy's, pooled-ratio by that of one with a pool of buffers, added the median latency that the gateway adds to the straight way.
func BenchmarkHop(b *testing.B) {
	body := []byte(`{"handle":"NYC.01K4B4B2V8G3T0000000000000","items":[],"status":"open","version":1}`)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer app.Close()
	target, err := url.Parse(app.URL)
	if err != nil {
		b.Fatal(err)
	}
	// The bare proxy has the same pool of connections.
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer transport.CloseIdleConnections()
	bare := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() }})
	defer bare.Close()
	// A bare proxy that also uses its buffers again, as the gateway does.
	pooled := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, BufferPool: new(benchBuffers), Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() }})
	defer pooled.Close()
	world := worldOf(b, [3][]string{{app.URL}, {app.URL + "/lon"}, {app.URL + "/syd"}}, "")
	_, front, _ := gatewayOf(b, world, func(o *gateway.Options) { o.CheckEvery = time.Second })
	ways := []struct{ name, url string }{{"straight", app.URL}, {"bare", bare.URL}, {"gateway", front.URL}, {"pooled", pooled.URL}}

	for _, clients := range []int{1, 16} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			took := map[string]time.Duration{}
			var latencies [4][]time.Duration
			const slice = 100
			for done := 0; done < b.N; done += slice {
				n := min(slice, b.N-done)
				for i, way := range ways { // by turns: what else runs on the machine meets all of them
					began := time.Now()
					latencies[i] = append(latencies[i], drive(b, way.url, clients, n)...)
					took[way.name] += time.Since(began)
				}
			}
			for i, way := range ways {
				slices.Sort(latencies[i])
				b.ReportMetric(float64(b.N)/took[way.name].Seconds(), way.name+"/s")
			}
			median := func(i int) float64 { return float64(latencies[i][len(latencies[i])/2]) / 1000 }
			b.ReportMetric(took["bare"].Seconds()/took["gateway"].Seconds(), "ratio")
			b.ReportMetric(took["pooled"].Seconds()/took["gateway"].Seconds(), "pooled-ratio")
			b.ReportMetric(median(2)-median(0), "added-us")
			b.ReportMetric(median(1)-median(0), "bare-added-us")
		})
	}
}

type benchBuffers struct{ pool sync.Pool }

func (p *benchBuffers) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *benchBuffers) Put(b []byte) { p.pool.Put(&b) }

// benchClient is for all ways alike.
var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// drive sends requests by several clients at once, and returns how long each took.
func drive(b *testing.B, base string, clients, requests int) []time.Duration {
	b.Helper()
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			var own []time.Duration
			for next.Add(1) <= int64(requests) {
				began := time.Now()
				r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+"/v1/carts/NYC."+id, nil)
				if err != nil {
					b.Error(err)
					return
				}
				res, err := benchClient.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				own = append(own, time.Since(began))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	group.Wait()
	return all
}

// BenchmarkServe measures what the gateway does by itself, beside a bare proxy: no network, an upstream that answers at once.
func BenchmarkServe(b *testing.B) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer app.Close()
	target, _ := url.Parse(app.URL)
	world := worldOf(b, [3][]string{{app.URL}, {app.URL + "/lon"}, {app.URL + "/syd"}}, "")
	gate, _, _ := gatewayOf(b, world, func(o *gateway.Options) { o.CheckEvery = time.Minute })
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	defer transport.CloseIdleConnections()
	bare := &httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target); p.SetXForwarded() }}
	for _, way := range []struct {
		name string
		h    http.Handler
	}{{"bare", bare}, {"gateway", gate}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(http.MethodGet, "/v1/carts/NYC."+id, nil)
			r.Header.Set("User-Agent", "bench")
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			r = r.WithContext(ctx)
			for b.Loop() {
				way.h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
