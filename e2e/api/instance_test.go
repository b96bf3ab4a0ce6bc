package api_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/geoshard/geoshard/cart/server"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
)

// world has two datacenters, so that writes can be acknowledged in two, and is as light as that can be.
var world = clustertest.World{
	YAML: `version: 1
datacenters: {LON: {name: London, countries: [GB]}, NYC: {name: New York, countries: [US]}}
links: [{between: [LON, NYC], rtt: 76ms}]
shards:
  lon: {members: [{dc: LON, priority: 2}, {dc: NYC, priority: 1}]}
  nyc: {members: [{dc: NYC, priority: 2}, {dc: LON, priority: 1}]}
zones: {LON: {shards: [lon]}, NYC: {shards: [nyc]}}
namespaces:
  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}
`,
	Options: local.Options{Name: "api"},
}

// patience bounds requests and reads that wait for their token: what is tested is not how fast a busy machine answers.
const patience = 50 * time.Second

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(clustertest.Main(m))
}

// serve sets a shop up and starts the instance of one datacenter until the test ends, and returns the instance's address.
func serve(t *testing.T) string {
	t.Helper()
	cluster := world.Start(t)
	uri, err := cluster.URI("LON")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	target := server.Target{URI: uri, World: cluster.Topology()}
	if err := server.Setup(ctx, server.SetupOptions{Target: target}); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(running, server.Options{
			Target: target, DataCenter: "LON", Listen: "127.0.0.1:0", Timeout: patience, Wait: patience, Ready: func(address string) { ready <- address }})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the instance ended with %v", err)
		}
	})
	select {
	case address := <-ready:
		return address
	case err := <-ended:
		ended <- nil
		t.Fatal(errors.Join(errors.New("the instance did not start"), err))
		return ""
	}
}

// counted is a line of the instance's metrics: how many requests of a route had a status.
var counted = regexp.MustCompile(`^cartdemo_request_seconds_count\{method="(\w+)",route="([^"]+)",status="(\d+)"\} (\d+)$`)

// judge reads what the instance itself has counted: requests of each operation got through to the shop, and none was answered with an error of its own.
func judge(t *testing.T, address string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	byStatus, worked := map[int]int{}, map[string]int{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		found := counted.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		status, _ := strconv.Atoi(found[3])
		n, _ := strconv.Atoi(found[4])
		byStatus[status] += n
		operation := found[1] + " " + found[2]
		if status < 300 {
			worked[operation] += n
		}
		if status >= 500 {
			t.Errorf("%s: %d answers with %d", operation, n, status)
		}
	}
	t.Logf("answers by status: %v", byStatus)
	expected := []string{
		"POST /v1/carts", "GET /v1/carts/:handle", "PATCH /v1/carts/:handle", "DELETE /v1/carts/:handle", "POST /v1/carts/:handle/items", "GET /v1/carts", "GET /v1/orders",
		"GET /v1/catalogue", "GET /v1/stock", "GET /v1/analytics", "GET /v1/notices", "POST /v1/notices",
	}
	if testkit.Soak() { // the few requests of an ordinary run do not always get so far
		expected = append(expected, "GET /v1/catalogue/:sku", "PUT /v1/carts/:handle/items/:sku", "DELETE /v1/carts/:handle/items/:sku", "POST /v1/carts/:handle/checkout",
			"GET /v1/orders/:handle")
	}
	for _, operation := range expected {
		if worked[operation] == 0 {
			t.Errorf("no request of %s was done", operation)
		}
	}
	t.Logf("done by operation: %v", worked)
}
