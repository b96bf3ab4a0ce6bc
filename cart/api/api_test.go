package api_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/consistency/gintoken"
)

// S2.27, and the travelling user: a cart of Sydney used from London. Reads are of the copy there, and see what the user wrote; writes go to Sydney.
func TestACartOfSydneyIsUsedFromLondon(t *testing.T) {
	lon, syd := instanceOf(t, "LON"), instanceOf(t, "SYD")
	made, token := create(t, syd)
	if made.DataCenter != "SYD" || token == "" {
		t.Fatalf("got a cart of %s, token %q", made.DataCenter, token)
	}
	path := "/v1/carts/" + made.Handle.String()
	for n := range 20 {
		answer := ask(lon, http.MethodPost, path+"/items", `{"sku":"book","quantity":1}`, once(), with(gintoken.DefaultHeader, token))
		changed := read[cart.Cart](t, answer, http.StatusOK)
		if changed.Count() != n+1 || changed.Currency() != "AUD" || !strings.Contains(answer.Header.Get("X-Served-By"), "; primary; 0s") {
			t.Fatalf("write %d: got %d books in %s, served by %s", n, changed.Count(), changed.Currency(), answer.Header.Get("X-Served-By"))
		}
		token = answer.Header.Get(gintoken.DefaultHeader)
		for _, at := range []instance{lon, syd} {
			answer := ask(at, http.MethodGet, path, "", with(gintoken.DefaultHeader, token))
			if got := read[cart.Cart](t, answer, http.StatusOK); got.Count() != n+1 {
				t.Fatalf("read %d in %s: got %d books, want %d", n, at.dc, got.Count(), n+1)
			}
		}
	}
	answer := ask(lon, http.MethodPost, path+"/checkout", "", once(), with("If-Match", `"21"`), with(gintoken.DefaultHeader, token))
	order := read[cart.Order](t, answer, http.StatusCreated)
	if order.Handle != made.Handle || order.Shipping.Warehouse != "SYD" || order.Shipping.Items != 20 {
		t.Errorf("got order %+v", order)
	}
	answer = ask(lon, http.MethodGet, "/v1/orders/"+made.Handle.String(), "", with(gintoken.DefaultHeader, answer.Header.Get(gintoken.DefaultHeader)))
	if got := read[cart.Order](t, answer, http.StatusOK); got.Total != order.Total {
		t.Errorf("got %+v", got)
	}
}

func TestTheAnswerThatWasLostComesAgain(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	make := once()
	first := read[cart.Cart](t, ask(nyc, http.MethodPost, "/v1/carts", "{}", make), http.StatusCreated)
	again := ask(nyc, http.MethodPost, "/v1/carts", "{}", make)
	if got := read[cart.Cart](t, again, http.StatusCreated); got.Handle != first.Handle || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("got another cart %s, replayed %q", got.Handle, again.Header.Get("Idempotency-Replayed"))
	}
	path := "/v1/carts/" + first.Handle.String()
	add := once()
	for range 3 {
		answer := ask(nyc, http.MethodPost, path+"/items", `{"sku":"mug","quantity":2}`, add)
		if got := read[cart.Cart](t, answer, http.StatusOK); got.Count() != 2 || answer.Header.Get("ETag") != `"2"` {
			t.Errorf("got %d mugs, ETag %s", got.Count(), answer.Header.Get("ETag"))
		}
	}
	pay := once()
	for range 3 {
		if got := read[cart.Order](t, ask(nyc, http.MethodPost, path+"/checkout", "", pay, with("If-Match", `"2"`)), http.StatusCreated); got.Items[0].Quantity != 2 {
			t.Errorf("got %+v", got)
		}
	}
	// The add is still known, although the cart would not take it any more.
	if got := read[cart.Cart](t, ask(nyc, http.MethodPost, path+"/items", `{"sku":"mug","quantity":2}`, add), http.StatusOK); got.Status != cart.Ordered {
		t.Errorf("got %+v", got)
	}
}

// An add that was done before the product was withheld is answered as done.
func TestADelayDoesNotTurnADoneRequestIntoARefusal(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	made, _ := create(t, nyc)
	add, path := once(), "/v1/carts/"+made.Handle.String()+"/items"
	read[cart.Cart](t, ask(nyc, http.MethodPost, path, `{"sku":"kettle","quantity":1}`, add), http.StatusOK)
	n := read[cart.Notice](t, ask(nyc, http.MethodPost, "/v1/notices", fmt.Sprintf(`{"sku":"kettle","until":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339)), once()), http.StatusCreated)
	if err := nyc.store.Withhold(t.Context(), profile(t, "durable"), n); err != nil {
		t.Fatal(err)
	}
	read[cart.Cart](t, ask(nyc, http.MethodPost, path, `{"sku":"kettle","quantity":1}`, add), http.StatusOK)
	p := read[api.Problem](t, ask(nyc, http.MethodPost, path, `{"sku":"kettle","quantity":1}`, once()), http.StatusConflict)
	if p.Type != api.ProblemBase+"delayed" {
		t.Errorf("got %+v", p)
	}
}

func TestEachProfileIsTaken(t *testing.T) {
	lon := instanceOf(t, "LON")
	made, token := create(t, lon)
	path := "/v1/carts/" + made.Handle.String()
	for _, name := range []string{"multi-datacenter", "local-fast", "durable", "session"} {
		answer := ask(lon, http.MethodPost, path+"/items?profile="+name, `{"sku":"book","quantity":1}`, once(), with(gintoken.DefaultHeader, token))
		read[cart.Cart](t, answer, http.StatusOK)
		token = answer.Header.Get(gintoken.DefaultHeader)
	}
	for name, servedBy := range map[string]string{
		"session": `^LON expected; router [0-9.:]+; nearest; [0-9.]+m?s$`, "local-fast": `^LON expected; router [0-9.:]+; nearest; [0-9.]+m?s$`,
		"bounded": `^LON expected; router [0-9.:]+; nearest; [0-9.]+m?s$`, "multi-datacenter": `^LON expected; router [0-9.:]+; primary; 0s$`,
		"durable": `^LON expected; router [0-9.:]+; primary; 0s$`, "strict": `^LON expected; router [0-9.:]+; primary; 0s$`,
	} {
		answer := ask(lon, http.MethodGet, path, "", with("X-Geoshard-Profile", name), with(gintoken.DefaultHeader, token))
		got := read[cart.Cart](t, answer, http.StatusOK)
		if got.Count() != 4 {
			t.Errorf("%s: got %d books, want 4", name, got.Count())
		}
		if got := answer.Header.Get("X-Served-By"); !regexp.MustCompile(servedBy).MatchString(got) {
			t.Errorf("%s: served by %q, want %s", name, got, servedBy)
		}
		t.Logf("%-16s %s | %s", name, answer.Header.Get("X-Served-By"), answer.Header.Get("Server-Timing"))
	}
}

// Behind a query router a token is what tells how old an answer can be: without one, nothing does.
func TestServedBySaysNoMoreThanIsKnown(t *testing.T) {
	lon := instanceOf(t, "LON")
	for path, want := range map[string]string{
		"/healthz":                         `^LON; instance; none; 0s$`,
		"/v1/catalogue":                    `^LON expected; router [0-9.:]+; nearest; unknown$`,
		"/v1/catalogue?dc=SYD":             `^LON expected; router [0-9.:]+; nearest; unknown$`,
		"/v1/stock?dc=SYD":                 `^SYD expected; router [0-9.:]+; primary; 0s$`,
		"/v1/carts?profile=durable&dc=NYC": `^NYC expected; router [0-9.:]+; primary; 0s$`,
		"/v1/analytics":                    `^LON expected; router [0-9.:]+; secondary preferred; ([0-9.]+m?s|unknown)$`,
	} {
		if got := ask(lon, http.MethodGet, path, "").Header.Get("X-Served-By"); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: served by %q, want %s", path, got, want)
		}
	}
}

// JSON Schema's integers may be written with a point.
func TestQuantitiesAreWholeNumbers(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	made, _ := create(t, nyc)
	path := "/v1/carts/" + made.Handle.String() + "/items"
	if got := read[cart.Cart](t, ask(nyc, http.MethodPost, path, `{"sku":"book","quantity":5.0}`, once()), http.StatusOK); got.Count() != 5 {
		t.Errorf("got %d books, want 5", got.Count())
	}
	for _, quantity := range []string{"1.5", `"1"`, "null", "1e300", "true"} {
		p := read[api.Problem](t, ask(nyc, http.MethodPost, path, `{"sku":"book","quantity":`+quantity+`}`, once()), http.StatusBadRequest)
		if p.Type != api.ProblemBase+"bad-body" {
			t.Errorf("%s: got %+v, want bad-body", quantity, p)
		}
	}
}

func TestAnalyticsSayHowOldTheyAre(t *testing.T) {
	lon, nyc := instanceOf(t, "LON"), instanceOf(t, "NYC")
	made, _ := create(t, nyc)
	path := "/v1/carts/" + made.Handle.String()
	read[cart.Cart](t, ask(nyc, http.MethodPost, path+"/items", `{"sku":"lamp","quantity":3}`, once()), http.StatusOK)
	answer := ask(nyc, http.MethodPost, path+"/checkout", "", once(), with("If-Match", `"2"`))
	read[cart.Order](t, answer, http.StatusCreated)
	answer = ask(lon, http.MethodGet, "/v1/analytics", "", with(gintoken.DefaultHeader, answer.Header.Get(gintoken.DefaultHeader)))
	got := read[api.Analysis](t, answer, http.StatusOK)
	items := int64(0)
	for _, s := range got.Sales {
		if s.DataCenter == "NYC" {
			items += s.Items
		}
	}
	if items < 3 || got.ReadIn != "LON" {
		t.Errorf("got %+v", got)
	}
	again := read[api.Analysis](t, ask(lon, http.MethodGet, "/v1/analytics", ""), http.StatusOK)
	if again.StalenessSeconds == nil || *again.StalenessSeconds < 0 || *again.StalenessSeconds > 60 {
		t.Errorf("got %+v, want a staleness that is known", again)
	} else {
		t.Logf("at most %.1f s old: %+v", *again.StalenessSeconds, again.Sales)
	}
}

func TestRefusalsAreProblems(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	made, _ := create(t, nyc)
	path := "/v1/carts/" + made.Handle.String()
	old := func() string { return "01J0000000000000000000000A" }()
	read[cart.Cart](t, ask(nyc, http.MethodPost, path+"/items", `{"sku":"book","quantity":999}`, once()), http.StatusOK)
	for _, c := range []struct {
		method, path, body string
		headers            []header
		status             int
		name               string
	}{
		{"GET", "/nowhere", "", nil, 404, "no-route"},
		{"PUT", "/v1/carts", "", nil, 405, "no-method"},
		{"GET", "/v1/carts/x", "", nil, 400, "bad-handle"},
		{"GET", "/v1/carts/LON.01K4B4B2V8G3T0000000000000", "", nil, 404, "not-found"},
		{"GET", path + "?profile=sessoin", "", nil, 400, "unknown-profile"},
		{"GET", path + "?profile=snapshot", "", nil, 400, "bad-parameter"},
		{"GET", path, "", []header{with(gintoken.DefaultHeader, "forged")}, 400, "token-refused"},
		{"GET", "/v1/carts?limit=0", "", nil, 400, "bad-parameter"},
		{"GET", "/v1/carts?status=lost", "", nil, 400, "bad-parameter"},
		{"GET", "/v1/carts?status=", "", nil, 400, "bad-parameter"},
		{"GET", "/v1/carts?limit=", "", nil, 400, "bad-parameter"},
		{"GET", "/v1/carts?profile=", "", nil, 400, "unknown-profile"},
		{"GET", "/v1/stock?dc=" + strings.Repeat("N", 65), "", nil, 400, "invalid"},
		{"GET", "/v1/catalogue?dc=", "", nil, 400, "invalid"},
		{"GET", "/v1/orders?after=" + strings.Repeat("0", 65), "", nil, 400, "bad-parameter"},
		{"DELETE", path, "", []header{once(), with("If-Match", "")}, 400, "bad-parameter"},
		{"POST", "/v1/carts", "{}", nil, 400, "key-required"},
		{"POST", "/v1/carts", "null", []header{once()}, 400, "bad-body"},
		{"POST", "/v1/carts", `{"customer":null}`, []header{once()}, 400, "bad-body"},
		{"POST", "/v1/carts", "{}", []header{with("Idempotency-Key", "1")}, 400, "bad-key"},
		{"POST", "/v1/carts", "{}", []header{with("Idempotency-Key", old)}, 422, "key-expired"},
		{"POST", "/v1/carts", `{"x":1}`, []header{once()}, 400, "bad-body"},
		{"POST", "/v1/carts", `{} {}`, []header{once()}, 400, "bad-body"},
		{"POST", "/v1/carts", `{}`, []header{once(), with("Content-Type", "text/plain")}, 415, "media-type"},
		{"POST", "/v1/carts", `{"customer":"` + strings.Repeat("x", 20_000) + `"}`, []header{once()}, 413, "body-too-large"},
		{"POST", "/v1/carts", `{"customer":"` + strings.Repeat("x", 101) + `"}`, []header{once()}, 400, "invalid"},
		{"POST", path + "/items", `{"sku":"book","quantity":1}`, []header{once()}, 422, "over-limit"},
		{"POST", path + "/items", `{"sku":"nothing","quantity":1}`, []header{once()}, 404, "not-found"},
		{"POST", path + "/items", `{"sku":"$x","quantity":1}`, []header{once()}, 400, "invalid"},
		{"DELETE", path + "/items/mug", "", []header{once()}, 404, "no-item"},
		{"DELETE", path, "", []header{once(), with("If-Match", `"1"`)}, 412, "changed"},
		{"DELETE", path, "", []header{once(), with("If-Match", `1`)}, 400, "bad-parameter"},
		{"POST", path + "/checkout", "", []header{once()}, 428, "version-required"},
		{"POST", path + "/checkout", "", []header{once(), with("If-Match", `"1"`)}, 412, "changed"},
		{"POST", "/v1/notices", `{"sku":"book"}`, []header{once()}, 400, "invalid"},
	} {
		answer := ask(nyc, c.method, c.path, c.body, c.headers...)
		if kind := answer.Header.Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%s %s: got Content-Type %s", c.method, c.path, kind)
		}
		p := read[api.Problem](t, answer, c.status)
		if p.Type != api.ProblemBase+c.name || p.Status != c.status || p.Title == "" || p.Detail == "" || p.Hint == "" {
			t.Errorf("%s %s: got %+v, want %s and a hint", c.method, c.path, p, c.name)
		}
		if answer.Header.Get("X-Served-By") == "" || answer.Header.Get("Server-Timing") == "" {
			t.Errorf("%s %s: got headers %v", c.method, c.path, answer.Header)
		}
	}
}

// The type of each problem leads to a heading of the documentation.
func TestEveryProblemIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cartdemo.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := api.ProblemNames()
	for _, name := range names {
		if !strings.Contains(string(text), "\n### "+name+"\n") {
			t.Errorf("docs/cartdemo.md has no heading %q", name)
		}
	}
	t.Logf("%d problems", len(names))
}

func TestMetricsCountRequests(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	create(t, nyc)
	if answer := ask(nyc, http.MethodGet, "/readyz", ""); answer.StatusCode != http.StatusOK {
		t.Errorf("readyz: got %s", answer.Status)
	}
	answer := ask(nyc, http.MethodGet, "/metrics", "")
	text := new(strings.Builder)
	if _, err := fmt.Fprint(text, readAll(t, answer)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`cartdemo_request_seconds_count{method="POST",route="/v1/carts",status="201"} 1`, `cartdemo_database_seconds_count{command="insert"} 1`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestRequestsAreBounded(t *testing.T) {
	nyc := instanceOf(t, "NYC", func(o *api.Options) { o.Timeout = time.Nanosecond })
	p := read[api.Problem](t, ask(nyc, http.MethodGet, "/v1/stock", ""), http.StatusGatewayTimeout)
	if p.Type != api.ProblemBase+"timed-out" || !strings.Contains(p.Hint, "Idempotency-Key") {
		t.Errorf("got %+v", p)
	}
}

func TestListsHavePages(t *testing.T) {
	nyc := instanceOf(t, "NYC")
	for range 5 {
		create(t, nyc)
	}
	seen, after := map[string]bool{}, ""
	for {
		out := read[struct {
			Carts []cart.Cart `json:"carts"`
			Next  string      `json:"next"`
		}](t, ask(nyc, http.MethodGet, "/v1/carts?profile=multi-datacenter&limit=2&after="+after, ""), http.StatusOK)
		for _, c := range out.Carts {
			if seen[c.CartID] {
				t.Fatalf("%s comes twice", c.CartID)
			}
			seen[c.CartID] = true
		}
		if out.Next == "" {
			break
		}
		after = out.Next
	}
	if len(seen) < 5 {
		t.Errorf("got %s carts, want at least 5", strconv.Itoa(len(seen)))
	}
}
