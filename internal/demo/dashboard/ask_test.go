package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/signing"
)

const handle = "NYC.01K4B4B2V8G3T0000000000000"

// A counter of versions answers as a gateway and a shop do that have one cart. Without a token it answers with the version before.
func counter(t *testing.T, sealed string) http.Handler {
	var version atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(router.HeaderExplain) != "1" || (r.Method != http.MethodGet) != (r.Header.Get("Idempotency-Key") != "") {
			t.Errorf("%s %s: got headers %v", r.Method, r.URL, r.Header)
		}
		h := w.Header()
		for name, value := range map[string]string{
			router.HeaderDatacenter: "NYC", router.HeaderOwner: "NYC", router.HeaderMode: "forward", router.HeaderReason: "owner",
			"X-Served-By": "NYC expected; router 127.0.0.1:1; primary; 0s", gintoken.DefaultHeader: sealed,
		} {
			h.Set(name, value)
		}
		h.Add("Server-Timing", "total;dur=5.0, db;dur=4.5")
		h.Add("Server-Timing", "geoshard;dur=7.0, upstream;dur=6.0, tries;desc=2")
		shown := version.Load()
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/catalogue"):
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case strings.HasSuffix(r.URL.Path, "/items") && r.Header.Get(gintoken.DefaultHeader) != sealed:
			h.Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusConflict)
			_, _ = fmt.Fprint(w, `{"title":"the product is delayed","detail":"console"}`)
			return
		case r.Method == http.MethodPost:
			shown = version.Add(1)
		case r.Header.Get(gintoken.DefaultHeader) == "":
			shown--
		}
		_, _ = fmt.Fprintf(w, `{"handle":%q,"dataCenter":"NYC","items":[],"status":"open","version":%d}`, handle, shown)
	})
}

func TestARequestIsShownAsItsAnswersTellIt(t *testing.T) {
	d, _ := started(t, newStill(t, counter(t, "sealed")), Options{})
	got, _, err := d.ask(t.Context(), "Ada", client.NewCart("SYD", ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Took <= 0 || got.At == 0 {
		t.Errorf("got took %g, at %d", got.Took, got.At)
	}
	got.Took, got.At = 0, 0
	want := requestView{Who: "Ada", Kind: "new", Method: "POST", Path: "/v1/carts", From: "SYD", To: "NYC", Owner: "NYC", Mode: "forward", Reason: "owner", Status: 200,
		Database: 4.5, Tries: 2, Served: "NYC expected; router 127.0.0.1:1; primary; 0s"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	a, _, err := d.ask(t.Context(), "Ada", client.AddItem("SYD", handle, "console", 1), nil)
	var problem *problemError
	if !errors.As(err, &problem) || a.Error != "the product is delayed: console" || a.Status != http.StatusConflict {
		t.Errorf("got %v, %+v, want the problem's words", err, a)
	}
	d.hub.mu.Lock()
	defer d.hub.mu.Unlock()
	if n := len(d.hub.kept["requests"]); n != 2 {
		t.Errorf("the pages were told of %d requests, want 2", n)
	}
	if points := d.hub.kept["latencies"]; len(points) != 1 || !strings.Contains(string(points[0]), `"way":"remote"`) {
		t.Errorf("got %s, want one point, of a request that left its datacenter", points)
	}
}

func TestAReadWithoutTheTokenIsCalledStaleWhenItIs(t *testing.T) {
	key, err := signing.NewKey("t", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	sealed, err := consistency.Token{Home: "NYC", OperationTime: bson.Timestamp{T: uint32(now.Unix()), I: 3}, ClusterTime: bson.Timestamp{T: uint32(now.Unix()), I: 4}, Issued: now}.Seal(keys)
	if err != nil {
		t.Fatal(err)
	}
	_, server := started(t, newStill(t, counter(t, sealed)), Options{Keys: keys})
	press := func(path, body string) (v shopperView) {
		t.Helper()
		status, _, text := call{method: http.MethodPost, path: "/api/" + path, token: secret, body: body}.do(t, server.URL)
		if status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, status, text)
		}
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := press("shoppers", `{"city":"Chicago"}`)
	if v.Home != "NYC" || v.At != "NYC" || v.Token == nil || !v.Token.Open || v.Token.Home != "NYC" || v.Token.Operation.Number != 3 || v.Token.Text != sealed {
		t.Errorf("got %+v with token %+v", v, v.Token)
	}
	press("shoppers/0/items", `{"sku":"book"}`)
	v = press("shoppers/0/read", `{"token":false}`)
	if v.Read.Version != 1 || v.Read.Known != 2 || v.Cart.Version != 2 {
		t.Errorf("without the token: got %+v, the cart of version %d; want version 1 read, 2 known and kept", v.Read, v.Cart.Version)
	}
	v = press("shoppers/0/read", `{"token":true}`)
	if v.Read.Version != 2 || !v.Read.WithToken {
		t.Errorf("with the token: got %+v, want version 2", v.Read)
	}
	v = press("shoppers/0/travel", `{"city":"Tokyo"}`)
	if v.At != "SYD" || v.Home != "NYC" || v.City.Name != "Tokyo" {
		t.Errorf("after the travel: got %+v, want SYD's gateway, and the cart at home in NYC", v)
	}
	if closed := viewToken(sealed, nil, now); closed.Open || closed.Text != sealed {
		t.Errorf("without a key: got %+v, want a closed token", closed)
	}
	if forged := viewToken("A"+sealed[1:]+"A", keys, now); forged.Open || forged.Error == "" {
		t.Errorf("a forged token: got %+v, want an error", forged)
	}
	for i := 1; i < mostShoppers; i++ {
		press("shoppers", `{"city":"Chicago"}`)
	}
	if status, _, _ := (call{method: http.MethodPost, path: "/api/shoppers", token: secret, body: `{"city":"Chicago"}`}).do(t, server.URL); status != http.StatusConflict {
		t.Errorf("shopper %d: got %d, want 409", mostShoppers+1, status)
	}
}
