package gintoken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/signing"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(clustertest.Main(m))
}

func keyring(t testing.TB, id string, b byte) *signing.Keyring {
	t.Helper()
	key, err := signing.NewKey(id, bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func connect(t testing.TB, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// shop is a gin application with the middleware, whose handlers work on a real database.
func shop(t testing.TB, o gintoken.Options, database string) *gin.Engine {
	t.Helper()
	token, err := gintoken.New(o)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(token)
	carts := o.Client.Database(database).Collection("carts")
	write := func(c *gin.Context) bool {
		_, err := carts.UpdateOne(c.Request.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, options.UpdateOne().SetUpsert(true))
		if err != nil {
			c.String(http.StatusInternalServerError, err.Error())
		}
		return err == nil
	}
	engine.POST("/text", func(c *gin.Context) {
		if write(c) {
			c.String(http.StatusOK, "written")
		}
	})
	engine.POST("/empty", func(c *gin.Context) {
		if write(c) {
			c.Status(http.StatusNoContent)
		}
	})
	engine.POST("/stream", func(c *gin.Context) {
		if write(c) {
			c.Writer.Flush()
			_, _ = c.Writer.WriteString("more")
		}
	})
	engine.GET("/cart", func(c *gin.Context) {
		var got struct{ N int }
		err := gintoken.Read(c, func(ctx context.Context) error {
			return carts.FindOne(ctx, bson.D{{Key: "_id", Value: 1}}).Decode(&got)
		})
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			c.String(http.StatusServiceUnavailable, err.Error())
			return
		}
		c.JSON(http.StatusOK, got)
	})
	engine.GET("/nothing", func(c *gin.Context) { c.String(http.StatusOK, "nothing") })
	return engine
}

func ask(engine http.Handler, method, path string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	engine.ServeHTTP(w, r)
	return w.Result()
}

func withHeader(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(gintoken.DefaultHeader, token) }
}

func withCookie(token string) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: gintoken.DefaultCookie, Value: token}) }
}

// On a real cluster: after each way of answering a write there is a token in header and cookie, it opens, and another process takes it.
func TestTheTokenGoesOutAfterEveryWrite(t *testing.T) {
	uri, err := clustertest.Shared(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	clustertest.Claim(t, uri, "gintoken")
	keys := keyring(t, "k", 1)
	one := shop(t, gintoken.Options{Client: connect(t, uri), Keys: keys, Home: "NYC"}, "gintoken")
	other := shop(t, gintoken.Options{Client: connect(t, uri), Keys: keys, Home: "LON"}, "gintoken")
	last := bson.Timestamp{}
	for i, path := range []string{"/text", "/empty", "/stream"} {
		answer := ask(one, http.MethodPost, path)
		text := answer.Header.Get(gintoken.DefaultHeader)
		token, err := consistency.OpenToken(keys, text, time.Now(), consistency.Limits{})
		if err != nil || token.Home != "NYC" || !token.OperationTime.After(last) {
			t.Fatalf("%s: got %s %q: %+v, %v", path, answer.Status, text, token, err)
		}
		last = token.OperationTime
		cookies := answer.Cookies()
		if len(cookies) != 1 || cookies[0].Value != text || !cookies[0].HttpOnly || !cookies[0].Secure || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].MaxAge != 3600 {
			t.Errorf("%s: got cookies %v", path, cookies)
		}
		for name, in := range map[string]func(*http.Request){"header": withHeader(text), "cookie": withCookie(text)} {
			answer := ask(other, http.MethodGet, "/cart", in)
			var got struct{ N int }
			if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.N != i+1 {
				t.Errorf("%s, token by %s: got %s %d, %v, want %d", path, name, answer.Status, got.N, err, i+1)
			}
			out, err := consistency.OpenToken(keys, answer.Header.Get(gintoken.DefaultHeader), time.Now(), consistency.Limits{})
			if err == nil && out.OperationTime.Before(token.OperationTime) || err != nil && answer.Header.Get(gintoken.DefaultHeader) != "" {
				t.Errorf("%s, token by %s: the token that comes out is older: %+v, %v", path, name, out, err)
			}
		}
	}
	if answer := ask(one, http.MethodGet, "/nothing", withHeader("")); answer.Header.Get(gintoken.DefaultHeader) != "" || len(answer.Cookies()) != 0 {
		t.Errorf("a request that did nothing in the database: got %v", answer.Header)
	}
}

// refusing is an application whose handlers must not run. It needs no database, and must not look for one.
func refusing(t testing.TB, o gintoken.Options) *gin.Engine {
	t.Helper()
	if o.Client == nil {
		o.Client = connect(t, "mongodb://127.0.0.1:1")
	}
	token, err := gintoken.New(o)
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(token)
	engine.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "the handler ran") })
	return engine
}

func TestRefusedTokensReachNoHandler(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	mine := keyring(t, "k", 1)
	token := func(keys *signing.Keyring, issued time.Time) string {
		text, err := consistency.Token{Home: "LON", OperationTime: bson.Timestamp{T: 1_789_999_000}, ClusterTime: bson.Timestamp{T: 1_789_999_000}, Issued: issued}.Seal(keys)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	engine := refusing(t, gintoken.Options{Keys: mine, Home: "LON", Now: func() time.Time { return now }})
	good := token(mine, now)
	if answer := ask(engine, http.MethodGet, "/", withHeader(good)); answer.StatusCode != http.StatusOK {
		t.Fatalf("a good token: got %s", answer.Status)
	}
	for name, text := range map[string]string{
		"forged": token(keyring(t, "k", 2), now), "unknown key": token(keyring(t, "x", 1), now), "expired": token(mine, now.Add(-2*time.Hour)),
		"future": token(mine, now.Add(time.Hour)), "truncated": good[:len(good)-1], "garbage": "hello", "flipped": strings.ToLower(good),
	} {
		for way, in := range map[string]func(*http.Request){"header": withHeader(text), "cookie": withCookie(text)} {
			answer := ask(engine, http.MethodGet, "/", in)
			var problem struct {
				Title  string
				Status int
				Detail string
			}
			err := json.NewDecoder(answer.Body).Decode(&problem)
			if err != nil || answer.StatusCode != http.StatusBadRequest || problem.Status != http.StatusBadRequest || problem.Detail == "" ||
				!strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
				t.Errorf("%s by %s: got %s %s %+v, %v", name, way, answer.Status, answer.Header.Get("Content-Type"), problem, err)
			}
			if cookies := answer.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
				t.Errorf("%s by %s: the cookie is not cleared: %v", name, way, cookies)
			}
			if strings.Contains(problem.Detail, text) {
				t.Errorf("%s by %s: the token is in the answer: %s", name, way, problem.Detail)
			}
		}
	}
}

func TestOptionsAreKept(t *testing.T) {
	var refused error
	engine := refusing(t, gintoken.Options{
		Keys: keyring(t, "k", 1), Home: "LON", Header: "X-T", Cookie: "t", SameSite: http.SameSiteStrictMode, PlainHTTP: true,
		Refuse: func(c *gin.Context, err error) { refused = err; c.Status(http.StatusTeapot) },
	})
	answer := ask(engine, http.MethodGet, "/", func(r *http.Request) { r.Header.Set("X-T", "bad") })
	cookie := answer.Cookies()[0]
	if answer.StatusCode != http.StatusTeapot || !errors.Is(refused, consistency.ErrTokenMalformed) || cookie.Name != "t" || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure {
		t.Errorf("got %s, %v, %v", answer.Status, refused, cookie)
	}
}

func TestWhatCannotWorkIsToldAtTheStart(t *testing.T) {
	client, keys := connect(t, "mongodb://127.0.0.1:1"), keyring(t, "k", 1)
	for name, c := range map[string]struct {
		o    gintoken.Options
		want error
	}{
		"no client":       {gintoken.Options{Keys: keys, Home: "LON"}, gintoken.ErrIncomplete},
		"no keys":         {gintoken.Options{Client: client, Home: "LON"}, gintoken.ErrIncomplete},
		"no home":         {gintoken.Options{Client: client, Keys: keys}, gintoken.ErrIncomplete},
		"a home too long": {gintoken.Options{Client: client, Keys: keys, Home: "a-datacenter-with-a-very-long-name"}, consistency.ErrTokenMalformed},
	} {
		if _, err := gintoken.New(c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func Example() {
	key, _ := signing.NewKey("2026-11", bytes.Repeat([]byte("not random, "), 3))
	keys, _ := signing.NewKeyring(key)
	client, _ := mongo.Connect(options.Client().ApplyURI("mongodb://127.0.0.1:27017"))
	defer func() { _ = client.Disconnect(context.Background()) }()
	token, err := gintoken.New(gintoken.Options{Client: client, Keys: keys, Home: "LON"})
	if err != nil {
		fmt.Println(err)
		return
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(token)
	engine.GET("/cart", func(c *gin.Context) { c.String(http.StatusOK, "a cart") }) // with gintoken.Read around database reads

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/cart", nil)
	r.Header.Set(gintoken.DefaultHeader, "made-up")
	engine.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output:
	// 400 application/problem+json
}
