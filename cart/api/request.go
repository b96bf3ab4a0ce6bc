package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// profileHeader names the profile of one request, as the query parameter profile does.
const profileHeader = "X-Geoshard-Profile"

// The profiles that requests may name; the first is taken where they name none. Reads follow the token and are local; writes survive the loss of
// their datacenter.
var (
	readProfiles  = []string{"session", "local-fast", "bounded", "multi-datacenter", "durable", "strict"}
	writeProfiles = []string{"multi-datacenter", "local-fast", "durable", "session"}
)

func profileOf(c *gin.Context, allowed []string) (consistency.Profile, error) {
	name, given := c.GetQuery("profile")
	if !given {
		name = cmp.Or(c.GetHeader(profileHeader), allowed[0])
	}
	p, err := consistency.Lookup(name)
	if err == nil && !slices.Contains(allowed, name) {
		err = hint.New(fmt.Errorf("%w: profile %q is not for this operation", errParameter, name), "the profiles for it are "+strings.Join(allowed, ", "))
	}
	return p, err
}

// read reads something in the request's session that is at home in a datacenter, at whom and how the profile says.
func read[T any](a *api, c *gin.Context, p consistency.Profile, home topology.DatacenterID, find func(context.Context) (T, error)) (found T, err error) {
	seenOf(c).asked = demand{mode: p.Read.Mode, first: home}
	if p.Read.Mode != readpref.PrimaryMode {
		seenOf(c).asked.first = a.Store.DataCenter()
	}
	if p.Read.Concern == "linearizable" {
		// Newer than any token, and servers refuse both at once.
		return find(mongo.NewSessionContext(c.Request.Context(), nil))
	}
	if p.Read.Bound > 0 {
		if _, _, err := a.Witness.Freshen(mongo.SessionFromContext(c.Request.Context()), p.Read.Bound, a.Now()); err != nil {
			return found, err
		}
	}
	err = gintoken.Read(c, func(ctx context.Context) (err error) {
		found, err = find(ctx)
		return err
	})
	return found, err
}

// one answers with what the handle in the path names.
func one[T any](a *api, c *gin.Context, find func(context.Context, consistency.Profile, cart.Handle) (T, error)) error {
	h, err := cart.ParseHandle(c.Param("handle"))
	if err != nil {
		return err
	}
	p, err := profileOf(c, readProfiles)
	if err != nil {
		return err
	}
	found, err := read(a, c, p, h.DataCenter, func(ctx context.Context) (T, error) { return find(ctx, p, h) })
	return a.answer(c, http.StatusOK, found, err)
}

// written notes that the last command went to the primary of what is at home in a datacenter.
func written(c *gin.Context, home topology.DatacenterID) {
	seenOf(c).asked = demand{mode: readpref.PrimaryMode, first: home}
}

func (a *api) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }

// body reads a request's body: one JSON value with the fields that are known.
func body(c *gin.Context, into any) error {
	if media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || media != "application/json" {
		return fmt.Errorf("%w: Content-Type %.100q", errMediaType, c.GetHeader("Content-Type"))
	}
	var seen bytes.Buffer
	decoder := json.NewDecoder(io.TeeReader(c.Request.Body, &seen))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: more than one value", errBody)
	}
	return noNull(&seen)
}

// noNull refuses what Decode takes for a field that was left out. No field of a request can be null.
func noNull(text io.Reader) error {
	for tokens := json.NewDecoder(text); ; {
		switch token, err := tokens.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errBody, err)
		case token == nil:
			return fmt.Errorf("%w: null is no value", errBody)
		}
	}
}

// A whole is an integer as JSON Schema has it: 2.0 is one as well.
type whole int

// UnmarshalJSON takes what is a whole number, however it is written.
func (w *whole) UnmarshalJSON(text []byte) error {
	const exact = 1 << 53 // up to there floating point numbers are
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > exact {
		return fmt.Errorf("%.100s is no whole number", text)
	}
	*w = whole(n)
	return nil
}

// versionOf reads If-Match: a cart's ETag, which is its version in quotes. 0 = none, or any.
func versionOf(c *gin.Context) (int64, error) {
	text := c.GetHeader("If-Match")
	if len(c.Request.Header.Values("If-Match")) == 0 || text == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || text != etag(version) || version < 1 {
		return 0, hint.New(fmt.Errorf("%w: If-Match %.100q", errParameter, text), `send the ETag of the cart, such as "3" with its quotes`)
	}
	return version, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// A page is the part of a list that a request asks for.
type page struct {
	dc    topology.DatacenterID
	after string
	limit int
}

const (
	usualPage = 50
	mostPage  = 200
	// longestName is the length of the longest name that a page begins behind.
	longestName = 64
)

func (a *api) page(c *gin.Context) (page, error) {
	p := page{dc: a.Store.DataCenter(), after: c.Query("after"), limit: usualPage}
	if dc, given := c.GetQuery("dc"); given {
		if err := cart.CheckDatacenter(dc); err != nil {
			return p, err
		}
		p.dc = topology.DatacenterID(dc)
	}
	if utf8.RuneCountInString(p.after) > longestName {
		return p, hint.New(fmt.Errorf("%w: after %.100q", errParameter, p.after), "send the next of the page before")
	}
	if text, given := c.GetQuery("limit"); given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostPage {
			return p, hint.New(fmt.Errorf("%w: limit %.100q", errParameter, text), fmt.Sprintf("1 to %d", mostPage))
		}
		p.limit = n
	}
	return p, nil
}

// answer writes a value, unless there is an error. A cart has its version as its ETag.
func (a *api) answer(c *gin.Context, status int, value any, err error) error {
	if err != nil {
		return err
	}
	if held, is := value.(cart.Cart); is {
		c.Header("ETag", etag(held.Version))
	}
	a.stamp(c)
	c.JSON(status, value)
	return nil
}

// done answers a write.
func (a *api) done(c *gin.Context, status int, value any, outcome cart.Outcome, err error) error {
	if err == nil && outcome == cart.Replayed {
		c.Header("Idempotency-Replayed", "true")
	}
	return a.answer(c, status, value, err)
}
