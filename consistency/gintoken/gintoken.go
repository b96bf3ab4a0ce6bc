package gintoken

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
)

const (
	// DefaultHeader is the header of requests and answers.
	DefaultHeader = "X-Geoshard-Token"
	// DefaultCookie is the cookie for browsers.
	DefaultCookie = "geoshard-token"
	// DefaultWait is longer than a round trip anywhere on earth, and shorter than users wait.
	DefaultWait = 2 * time.Second
)

// Options say how tokens travel. Client, Keys and Home are required.
type Options struct {
	Client *mongo.Client
	Keys   *signing.Keyring
	// Home is the datacenter of this process.
	Home topology.DatacenterID
	// Limits are for tokens that come in. MaxAge is the cookie's age as well.
	Limits consistency.Limits
	// Wait bounds each Read. 0 = DefaultWait.
	Wait time.Duration
	// Header and Cookie are the names. Empty = DefaultHeader and DefaultCookie. A request with both is taken by its header.
	Header, Cookie string
	// SameSite is the cookie's. 0 = Lax.
	SameSite http.SameSite
	// PlainHTTP lets the cookie travel without TLS: for development on one machine.
	PlainHTTP bool
	// Refuse answers a request whose token is refused. nil = 400 with problem details (RFC 9457). The cookie is cleared in any case, so that
	// a browser with a bad one is not locked out.
	Refuse func(c *gin.Context, err error)
	// Now is the clock. nil = time.Now.
	Now func() time.Time
}

// ErrIncomplete means that a required option is missing.
var ErrIncomplete = errors.New("gintoken: Client, Keys and Home are required")

// New makes the middleware.
func New(o Options) (gin.HandlerFunc, error) {
	if o.Client == nil || o.Keys == nil || o.Home == "" {
		return nil, ErrIncomplete
	}
	profile, err := consistency.Lookup("session")
	if err != nil {
		return nil, err
	}
	m := &middleware{Options: o, profile: profile}
	m.setDefaults()
	// A name too long for a token is told now, not at the first write.
	first := bson.Timestamp{T: 1}
	if _, err := (consistency.Token{Home: o.Home, OperationTime: first, ClusterTime: first, Issued: m.Now()}).Seal(o.Keys); err != nil {
		return nil, err
	}
	return m.handle, nil
}

type middleware struct {
	Options
	profile consistency.Profile
}

func (m *middleware) setDefaults() {
	if m.Limits.MaxAge <= 0 {
		m.Limits.MaxAge = consistency.DefaultMaxAge
	}
	if m.Wait <= 0 {
		m.Wait = DefaultWait
	}
	if m.Header == "" {
		m.Header = DefaultHeader
	}
	if m.Cookie == "" {
		m.Cookie = DefaultCookie
	}
	if m.SameSite == 0 {
		m.SameSite = http.SameSiteLaxMode
	}
	if m.Refuse == nil {
		m.Refuse = refuse
	}
	if m.Now == nil {
		m.Now = time.Now
	}
}

// waitKey is the bound of reads in a request's context.
type waitKey struct{}

func (m *middleware) handle(c *gin.Context) {
	token, err := m.token(c.Request)
	if err != nil {
		m.setCookie(c.Writer, "", -1)
		m.Refuse(c, err)
		c.Abort()
		return
	}
	session, err := m.session(token)
	if err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err) // returns what it was given
		return
	}
	ctx := c.Request.Context()
	defer session.EndSession(context.WithoutCancel(ctx))
	c.Request = c.Request.WithContext(context.WithValue(mongo.NewSessionContext(ctx, session), waitKey{}, m.Wait))
	w := &tokenWriter{ResponseWriter: c.Writer, out: m.out(c.Writer, session)}
	c.Writer = w
	c.Next()
	w.beforeHeaders() // an answer without a body is written after all handlers
}

// token opens the request's token; nil when it has none.
func (m *middleware) token(r *http.Request) (*consistency.Token, error) {
	text := r.Header.Get(m.Header)
	if text == "" {
		if cookie, err := r.Cookie(m.Cookie); err == nil {
			text = cookie.Value
		}
	}
	if text == "" {
		return nil, nil
	}
	token, err := consistency.OpenToken(m.Keys, text, m.Now(), m.Limits)
	return &token, err
}

// session starts a causal session that is as far as the token.
func (m *middleware) session(token *consistency.Token) (*mongo.Session, error) {
	session, err := m.Client.StartSession(m.profile.SessionOptions())
	if err != nil || token == nil {
		return session, err
	}
	if err := token.Advance(session); err != nil {
		session.EndSession(context.Background())
		return nil, err
	}
	return session, nil
}

// out returns the function that puts the session's token into the answer, if the session has done something since the request came in.
func (m *middleware) out(w http.ResponseWriter, session *mongo.Session) func() {
	began := session.OperationTime()
	return func() {
		if now := session.OperationTime(); now == nil || began != nil && !now.After(*began) {
			return
		}
		token, err := consistency.TokenOf(session, m.Home, m.Now())
		if err != nil {
			return // the session has done nothing
		}
		text, err := token.Seal(m.Keys)
		if err != nil {
			return
		}
		w.Header().Set(m.Header, text)
		m.setCookie(w, text, int(m.Limits.MaxAge/time.Second))
	}
}

func (m *middleware) setCookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: m.Cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: !m.PlainHTTP, SameSite: m.SameSite})
}

// refuse answers with problem details.
func refuse(c *gin.Context, err error) {
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"type": "about:blank", "title": "the causal token is refused", "status": http.StatusBadRequest, "detail": err.Error()})
}

// Read runs a read in the request's session for at most Options.Wait; see [consistency.Within]. Where the members that were asked have not caught
// up with the user's token by then, the error is consistency.ErrNotCaughtUp: answer 503, or read without the token.
func Read(c *gin.Context, read func(ctx context.Context) error) error {
	ctx := c.Request.Context()
	wait, ok := ctx.Value(waitKey{}).(time.Duration)
	if !ok {
		wait = DefaultWait // outside of the middleware there is no session to wait for
	}
	return consistency.Within(ctx, wait, read)
}
