package store

import (
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Traces makes a span of each command of a client. It says which command went where, and nothing of what is in it. OpenTelemetry's own package for
// the driver is about version 1.
func Traces(provider trace.TracerProvider) *event.CommandMonitor {
	t := &tracer{tracer: provider.Tracer("github.com/geoshard/geoshard/cart/store")}
	return &event.CommandMonitor{
		Started:   t.started,
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { t.end(e.RequestID, nil) },
		Failed:    func(_ context.Context, e *event.CommandFailedEvent) { t.end(e.RequestID, e.Failure) },
	}
}

type tracer struct {
	tracer trace.Tracer
	open   sync.Map // spans by request
}

func (t *tracer) started(ctx context.Context, e *event.CommandStartedEvent) {
	collection, _ := e.Command.Lookup(e.CommandName).StringValueOK()
	_, span := t.tracer.Start(ctx, e.CommandName, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "mongodb"), attribute.String("db.namespace", e.DatabaseName),
		attribute.String("db.operation.name", e.CommandName), attribute.String("db.collection.name", collection), attribute.String("server.address", e.ConnectionID)))
	t.open.Store(e.RequestID, span)
}

func (t *tracer) end(request int64, err error) {
	open, ok := t.open.LoadAndDelete(request)
	if !ok {
		return
	}
	span := open.(trace.Span)
	if err != nil {
		span.SetStatus(codes.Error, "the command failed") // its text may quote a document
	}
	span.End()
}
