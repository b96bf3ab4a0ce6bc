package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/consistency/gintoken"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// A Request is one that a client in a datacenter sends to the gateway there.
type Request struct {
	From         topology.DatacenterID
	Method, Path string
	// Body is written as JSON; nil = none.
	Body any
	// Key is the idempotency key of a write; empty = a new one.
	Key string
	// Token is what the client has seen so far; empty = nothing that it would insist on.
	Token string
	// Version makes a write one of exactly that version of the cart; 0 = of any.
	Version int64
	// At is where on Earth the client is; nil = not known.
	At *topology.Coordinates
	// Profile is a profile of package consistency; empty = the shop's own choice.
	Profile string
	// Past is the base URL of a shop that is asked itself, past the gateway; empty = none.
	Past string
}

// NewKey is a new idempotency key.
func NewKey() string { return ulid.Make().String() }

// NewCart asks for a cart for a customer, who may be without a name.
func NewCart(from topology.DatacenterID, customer string) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts", Body: map[string]string{"customer": customer}}
}

// ReadCart asks for a cart.
func ReadCart(from topology.DatacenterID, handle string) Request {
	return Request{From: from, Method: http.MethodGet, Path: "/v1/carts/" + handle}
}

// AddItem puts a number of a product into a cart.
func AddItem(from topology.DatacenterID, handle, sku string, n int) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts/" + handle + "/items", Body: map[string]any{"sku": sku, "quantity": n}}
}

// SetItem changes the number of a product that is in a cart.
func SetItem(from topology.DatacenterID, handle, sku string, n int) Request {
	return Request{From: from, Method: http.MethodPut, Path: "/v1/carts/" + handle + "/items/" + sku, Body: map[string]int{"quantity": n}}
}

// Checkout orders what is in a cart of a version.
func Checkout(from topology.DatacenterID, handle string, version int64) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/carts/" + handle + "/checkout", Version: version}
}

// Publish tells of a product that is late.
func Publish(from topology.DatacenterID, sku string, until time.Time, reason string) Request {
	return Request{From: from, Method: http.MethodPost, Path: "/v1/notices", Body: map[string]any{"sku": sku, "until": until.UTC(), "reason": reason}}
}

// Get asks for one of the shop's lists, such as "catalogue" or "analytics".
func Get(from topology.DatacenterID, list string) Request {
	return Request{From: from, Method: http.MethodGet, Path: "/v1/" + list}
}

func (c *Client) build(ctx context.Context, q Request) (*http.Request, error) {
	base := q.Past
	if base == "" {
		base = c.world.Gateway(q.From)
	}
	var body io.Reader
	if q.Body != nil {
		text, err := json.Marshal(q.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, base+q.Path, body)
	if err != nil {
		return nil, err
	}
	set := func(name, value string) {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if body != nil {
		set("Content-Type", "application/json")
	}
	if q.Method != http.MethodGet {
		if q.Key == "" {
			q.Key = NewKey()
		}
		set("Idempotency-Key", q.Key)
	}
	set(gintoken.DefaultHeader, q.Token)
	set("X-Geoshard-Profile", q.Profile)
	set(router.HeaderExplain, "1")
	if q.Version > 0 {
		set("If-Match", strconv.Quote(strconv.FormatInt(q.Version, 10)))
	}
	if declared := c.world.Topology().Router; q.At != nil && declared != nil && declared.Trust.Location != "" {
		set(declared.Trust.Location, fmt.Sprintf("%g,%g", q.At.Lat, q.At.Long)) // as a proxy in front would, that knows places
	}
	return r, nil
}
