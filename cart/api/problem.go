package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/hint"
)

// ProblemBase begins the type of every problem; the rest is a heading of that document.
const ProblemBase = "https://github.com/geoshard/geoshard/blob/main/docs/cartdemo.md#"

// What is wrong with a request before the shop hears of it.
var (
	errNoRoute   = errors.New("there is nothing at this path")
	errNoMethod  = errors.New("this path does not take the method")
	errBody      = errors.New("the body cannot be read")
	errMediaType = errors.New("the body is not JSON")
	errParameter = errors.New("bad parameter")
	errNoKey     = errors.New("a write without an Idempotency-Key")
	errNoVersion = errors.New("a checkout without If-Match")
	errNotReady  = errors.New("the carts of this datacenter cannot be read")
	errPanicked  = errors.New("internal error")
)

// A Problem is an error as RFC 9457 writes it, with a hint.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Hint     string `json:"hint,omitempty"`
}

// A kind is a type of problem. Its name never changes.
type kind struct {
	err    error
	status int
	name   string
	title  string
	hint   string // where the error has none
}

var kinds = []kind{
	{errNoRoute, http.StatusNotFound, "no-route", "no such path", "the paths are in /openapi.json"},
	{errNoMethod, http.StatusMethodNotAllowed, "no-method", "method not allowed", "the methods are in /openapi.json"},
	{errMediaType, http.StatusUnsupportedMediaType, "media-type", "unsupported media type", "send Content-Type: application/json"},
	{errBody, http.StatusBadRequest, "bad-body", "bad request body", "the schema is in /openapi.json"},
	{errParameter, http.StatusBadRequest, "bad-parameter", "bad parameter", "the parameters are in /openapi.json"},
	{errNoKey, http.StatusBadRequest, "key-required", "idempotency key required", "make an ULID or a UUID of version 7 for each request, and send the same one again when the answer is lost"},
	{errNoVersion, http.StatusPreconditionRequired, "version-required", "version required", "send the ETag of the cart that the customer has seen as If-Match"},
	{errNotReady, http.StatusServiceUnavailable, "not-ready", "not ready", "send requests to another datacenter until this one is ready"},
	{cart.ErrBadHandle, http.StatusBadRequest, "bad-handle", "bad handle", ""},
	{cart.ErrBadKey, http.StatusBadRequest, "bad-key", "bad idempotency key", ""},
	{cart.ErrKeyExpired, http.StatusUnprocessableEntity, "key-expired", "idempotency key too old", ""},
	{cart.ErrKeyReused, http.StatusUnprocessableEntity, "key-reused", "idempotency key used for another request", ""},
	{cart.ErrTooBusy, http.StatusTooManyRequests, "too-busy", "too many writes to one cart", ""},
	{cart.ErrNotFound, http.StatusNotFound, "not-found", "not found", ""},
	{cart.ErrNoItem, http.StatusNotFound, "no-item", "the cart does not hold the item", ""},
	{cart.ErrClosed, http.StatusConflict, "closed", "the cart is closed", ""},
	{cart.ErrVersion, http.StatusPreconditionFailed, "changed", "the cart has changed", ""},
	{cart.ErrLimit, http.StatusUnprocessableEntity, "over-limit", "over the limit", ""},
	{cart.ErrCurrency, http.StatusConflict, "currency", "another currency", ""},
	{cart.ErrEmpty, http.StatusConflict, "empty", "nothing to order", ""},
	{cart.ErrDelayed, http.StatusConflict, "delayed", "the product is delayed", ""},
	{cart.ErrOutOfStock, http.StatusConflict, "out-of-stock", "out of stock", ""},
	{cart.ErrNoHome, http.StatusConflict, "no-home", "no carts are at home here", ""},
	{cart.ErrInvalid, http.StatusBadRequest, "invalid", "invalid value", ""},
	{consistency.ErrUnknownProfile, http.StatusBadRequest, "unknown-profile", "unknown profile", ""},
	{consistency.ErrTokenMalformed, http.StatusBadRequest, "token-refused", "the causal token is refused", "begin again without the token"},
	{consistency.ErrTokenForged, http.StatusBadRequest, "token-refused", "the causal token is refused", "begin again without the token"},
	{consistency.ErrUnknownKey, http.StatusBadRequest, "token-refused", "the causal token is refused", "begin again without the token"},
	{consistency.ErrTokenExpired, http.StatusBadRequest, "token-refused", "the causal token is refused", "begin again without the token"},
	{consistency.ErrTokenFuture, http.StatusBadRequest, "token-refused", "the causal token is refused", "begin again without the token"},
	{consistency.ErrNotCaughtUp, http.StatusServiceUnavailable, "not-caught-up", "no member here is as new as the token", "ask again in a moment, or without the token"},
}

var (
	tooLarge = kind{nil, http.StatusRequestEntityTooLarge, "body-too-large", "the body is too large", "no request of the shop is so large"}
	timedOut = kind{nil, http.StatusGatewayTimeout, "timed-out", "the database did not answer in time", "a write may have happened: send it again with the same Idempotency-Key"}
	away     = kind{nil, http.StatusServiceUnavailable, "unavailable", "the database cannot do this now", "a write may have happened: send it again with the same Idempotency-Key"}
	internal = kind{nil, http.StatusInternalServerError, "internal", "internal error", "the instance's log has the reason; send a write again with the same Idempotency-Key"}
)

// retryable are the labels of errors that a moment later may be none: an election, a lost connection.
var retryable = []string{"RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult", "NetworkError"}

// kindOf finds an error's type. shown is false for errors that are none of the client's business.
func kindOf(err error) (k kind, shown bool) {
	var large *http.MaxBytesError
	if errors.As(err, &large) { // which comes as a body that cannot be read
		return tooLarge, true
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k, true
		}
	}
	var labeled mongo.LabeledError
	var server mongo.ServerError
	var write mongo.WriteException
	switch {
	case errors.Is(err, context.DeadlineExceeded), mongo.IsTimeout(err):
		return timedOut, false
	case mongo.IsNetworkError(err):
		return away, false
	case errors.As(err, &write) && write.WriteConcernError != nil:
		return timedOut, false // written, and not acknowledged as asked
	case errors.As(err, &server) && slices.ContainsFunc(elections, server.HasErrorCode), errors.As(err, &labeled) && slices.ContainsFunc(retryable, labeled.HasErrorLabel):
		return away, false
	}
	return internal, false
}

// elections are the server's codes around the change of a primary, for commands that the driver
// puts no label on: reads; and 175 of a secondary that deletes a migration's orphans
// (serverversion.KilledReads).
var elections = []int{6, 7, 89, 91, 133, 134, 175, 189, 202, 262, 9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436}

// fail answers with a problem, and ends the request.
func (a *api) fail(c *gin.Context, err error) {
	k, shown := kindOf(err)
	p := Problem{Type: ProblemBase + k.name, Title: k.title, Status: k.status, Detail: k.title, Instance: c.Request.URL.Path, Hint: k.hint}
	switch {
	case k.err == errNotReady:
		p.Detail = k.err.Error() // the reason behind it is for the log
	case shown:
		p.Detail = err.Error()
	}
	if help := hint.Of(err); shown && help != "" {
		p.Hint = help
	}
	switch k.status {
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		c.Header("Retry-After", "1")
	}
	_ = c.Error(err) // for the log
	a.stamp(c)
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(k.status, p)
}
