package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/topology"
)

// A seen is what is known of a request while it runs.
type seen struct {
	began time.Time
	watch *consistency.Watch
	// asked is what the last command demanded of the member that answers.
	asked demand
}

// A demand is what is known of the member that answers before it does. Behind a query router nothing else is.
type demand struct {
	// mode is who may answer; 0 = nobody was asked.
	mode readpref.Mode
	// first is the datacenter whose members are asked first, or where the primary is at home; another's answer when there is none.
	first topology.DatacenterID
}

const seenKey = "cartdemo.seen"

func seenOf(c *gin.Context) *seen { return c.MustGet(seenKey).(*seen) }

// observe watches a request: what it asked of the database, for its headers, the metrics, the trace and the log.
func (a *api) observe(c *gin.Context) {
	ctx, watch := consistency.Observe(c.Request.Context())
	c.Request = c.Request.WithContext(ctx)
	s := &seen{began: time.Now(), watch: watch}
	c.Set(seenKey, s)
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	span := trace.SpanFromContext(ctx)
	span.SetName(c.Request.Method + " " + route)
	span.SetAttributes(attribute.String("http.route", route))
	c.Next()

	took := time.Since(s.began)
	a.seconds.WithLabelValues(methodLabel(c.Request.Method), route, strconv.Itoa(c.Writer.Status())).Observe(took.Seconds())
	for _, one := range watch.All() {
		a.database.WithLabelValues(one.Command).Observe(one.Duration.Seconds())
	}
	level := slog.LevelInfo
	if c.Writer.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	said := []any{"method", c.Request.Method, "path", c.Request.URL.Path, "status", c.Writer.Status(), "took", took, "servedBy", c.Writer.Header().Get("X-Served-By")}
	if id := span.SpanContext().TraceID(); id.IsValid() {
		said = append(said, "trace", id.String())
	}
	if len(c.Errors) > 0 {
		said = append(said, "error", strings.Join(c.Errors.Errors(), "; "))
	}
	a.Log.Log(ctx, level, "request", said...)
}

// methodLabel keeps clients from making metrics of their own.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions:
		return method
	}
	return "other"
}

// limit bounds the request's time and body.
func (a *api) limit(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Timeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bodyLimit)
	c.Next()
}

// stamp writes the headers that every answer has, before its body.
func (a *api) stamp(c *gin.Context) {
	s := seenOf(c)
	database := time.Duration(0)
	for _, one := range s.watch.All() {
		database += one.Duration
	}
	h := c.Writer.Header()
	h.Set("Server-Timing", fmt.Sprintf("total;dur=%.1f, db;dur=%.1f", milliseconds(time.Since(s.began)), milliseconds(database)))
	h.Set("X-Served-By", a.servedBy(s))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// servedBy says which datacenter, member and role answered, and how old the answer can be at most. A query router names no member; then it is said what was
// demanded. The datacenter is certain where one alone may answer, "expected" where its members are asked first, or where the primary has its home.
func (a *api) servedBy(s *seen) string {
	last, ok := s.watch.Last()
	if !ok {
		return fmt.Sprintf("%s; instance; none; 0s", a.Store.DataCenter())
	}
	datacenter, member, role, bound := "unknown", last.Server, "unknown", "unknown"
	switch {
	case last.Datacenter != "":
		datacenter = string(last.Datacenter)
	case s.asked.first != "":
		datacenter = string(s.asked.first) + " expected"
	}
	switch {
	case s.asked.mode == readpref.PrimaryMode || last.Primary:
		role, bound = "primary", "0s" // it has every acknowledged write
	case last.Member:
		role = "secondary"
	case s.asked.mode == readpref.NearestMode:
		role = "nearest"
	case s.asked.mode == readpref.SecondaryPreferredMode:
		role = "secondary preferred"
	}
	if !last.Member {
		member = "router " + last.Server
	}
	if behind, ok := last.BehindAbout(a.Now(), 0); ok && bound == "unknown" {
		bound = behind.Round(100 * time.Millisecond).String()
	}
	return fmt.Sprintf("%s; %s; %s; %s", datacenter, member, role, bound)
}
