package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"pgregory.net/rapid"

	"github.com/geoshard/geoshard/cart/api"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
)

func profile(t testing.TB, name string) consistency.Profile {
	t.Helper()
	p, err := consistency.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readAll(t testing.TB, answer *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func document(t testing.TB) (*openapi3.T, routers.Router) {
	t.Helper()
	text, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("the document itself: %v", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

// The document names the routes that there are, and no others.
func TestTheDocumentHasAllRoutes(t *testing.T) {
	doc, _ := document(t)
	inDocument := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			inDocument[method+" "+path] = true
		}
	}
	routes := api.Routes()
	for _, route := range routes {
		if !inDocument[route] {
			t.Errorf("%s is not in the document", route)
		}
		delete(inDocument, route)
	}
	for route := range inDocument {
		t.Errorf("%s is in the document alone", route)
	}
	t.Logf("%d routes", len(routes))
}

// A generated client sends requests of the document's shapes, right and wrong, to all operations: no answer may be a server error, none may break
// the document's schemas.
func TestAnswersKeepToTheDocument(t *testing.T) {
	doc, router := document(t)
	nyc, lon := instanceOf(t, "NYC"), instanceOf(t, "LON")
	var handles []string
	for range 3 {
		made, _ := create(t, nyc)
		handles = append(handles, made.Handle.String())
	}
	var operations []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			operations = append(operations, method+" "+path)
		}
	}
	statuses, left := map[int]int{}, testkit.Count(t, "random requests", 400, 1_300)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 25).Draw(rt, "requests") {
			if left--; left < 0 {
				return
			}
			operation := rapid.SampledFrom(operations).Draw(rt, "operation")
			r := generated(rt, operation, handles)
			at := rapid.SampledFrom([]instance{nyc, lon}).Draw(rt, "instance")
			w := httptest.NewRecorder()
			at.ServeHTTP(w, r)
			statuses[w.Code]++
			if w.Code >= 500 {
				rt.Fatalf("%s %s: got %d: %s", r.Method, r.URL, w.Code, w.Body)
			}
			if err := fits(router, r, w); err != nil {
				rt.Fatalf("%s %s: %d: %v\n%s", r.Method, r.URL, w.Code, err, w.Body)
			}
		}
	})
	t.Logf("answers by status: %v", statuses)
	if statuses[200] == 0 || statuses[201] == 0 || statuses[400] == 0 {
		t.Error("want some of 200, 201 and 400")
	}
}

// generated is a request for an operation. Each part is wrong now and then.
func generated(rt *rapid.T, operation string, handles []string) *http.Request {
	method, path, _ := strings.Cut(operation, " ")
	odd := rapid.StringMatching(`[A-Za-z0-9$._-]{1,20}`).Draw(rt, "odd")
	rarely := func(name string) bool { return rapid.IntRange(0, 9).Draw(rt, name) == 0 }
	sku := rapid.SampledFrom([]string{"book", "mug", "console", "nothing"}).Draw(rt, "sku")
	handle := rapid.SampledFrom(handles).Draw(rt, "handle")
	if rarely("odd handle") {
		handle = odd
	}
	if rarely("odd sku") {
		sku = odd
	}
	path = strings.NewReplacer("{handle}", handle, "{sku}", sku).Replace(path)
	var query []string
	for _, p := range []string{"dc=LON", "limit=1", "limit=0", "after=" + odd, "status=open", "profile=durable", "profile=strict", "profile=" + odd} {
		if rarely(p) {
			query = append(query, p)
		}
	}
	body := ""
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		quantity := rapid.SampledFrom([]int{1, 2, 999, 0, -1}).Draw(rt, "quantity")
		switch {
		case rarely("odd body"):
			body = odd
		case strings.HasSuffix(path, "/items"):
			body = fmt.Sprintf(`{"sku":%q,"quantity":%d}`, sku, quantity)
		case strings.Contains(path, "/items/"):
			body = fmt.Sprintf(`{"quantity":%d}`, quantity)
		case strings.HasSuffix(path, "/notices"):
			body = fmt.Sprintf(`{"sku":"nothing","until":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
		case !strings.HasSuffix(path, "/checkout"):
			body = fmt.Sprintf(`{"customer":%q}`, rapid.StringN(0, 120, -1).Filter(func(s string) bool {
				return strings.ToValidUTF8(s, "") == s && !strings.ContainsAny(s, "\x00\\") && isPlain(s)
			}).Draw(rt, "customer"))
		}
	}
	r := httptest.NewRequest(method, path+"?"+strings.Join(query, "&"), strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet && !rarely("no key") {
		r.Header.Set("Idempotency-Key", key())
	}
	if strings.HasSuffix(path, "/checkout") || rarely("version") {
		r.Header.Set("If-Match", fmt.Sprintf(`"%d"`, rapid.IntRange(1, 4).Draw(rt, "version")))
	}
	return r
}

// isPlain keeps to characters that Go's and JSON's quoting write alike.
func isPlain(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r > 0x7e && r < 0xa0 || r > 0xffff {
			return false
		}
	}
	return !strings.Contains(fmt.Sprintf("%q", s), `\`)
}

// fits holds an answer against the document. Requests to paths that are in no document are answered by a problem.
func fits(router routers.Router, r *http.Request, w *httptest.ResponseRecorder) error {
	route, parameters, err := router.FindRoute(r)
	if err != nil {
		if w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed {
			return nil
		}
		return err
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: parameters, Route: route},
		Status:                 w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}
