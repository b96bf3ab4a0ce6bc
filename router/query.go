package router

import (
	"github.com/geoshard/geoshard/internal/enum"
	"github.com/geoshard/geoshard/topology"
)

// A Class says what a request does to records.
type Class = topology.RouteClass

// The classes of requests.
const (
	ClassUnknown = topology.ClassUnknown
	Read         = topology.ClassRead
	Write        = topology.ClassWrite
	New          = topology.ClassNew
)

// A Query is what a decision needs to know of a request.
type Query struct {
	// Here is the datacenter that asks.
	Here  DC
	Class Class
	// Redirect sends clients to another datacenter's gateway, instead of forwarding their requests.
	Redirect bool
	// Home is the zone key's value of an existing record; empty when the request names none.
	Home string
	// Source says where Home was found.
	Source Source
	// Unroutable is why the record that the request names cannot be found, ReasonBadHandle or
	// ReasonNoDirectory: the request is refused. ReasonUnknown = it can.
	Unroutable Reason
	// Explicit is the datacenter that the client chose for a new record, or empty.
	Explicit string
	// Country is the client's, as an ISO 3166-1 code of two capitals, by a trusted header; or empty.
	Country string
	// Lat and Long are the client's position in degrees by a trusted header, if HasPlace.
	Lat, Long float64
	HasPlace  bool
}

// A Source says where the home of a record was found.
type Source int

// The sources of homes.
const (
	SourceUnknown Source = iota
	SourcePath
	SourceHeader
	SourceQuery
	SourceCookie
	// SourceDirectory: the database was asked, because the request has the bare identifier only.
	SourceDirectory
)

var sourceNames = []string{SourceUnknown: "unknown", SourcePath: "path", SourceHeader: "header", SourceQuery: "query", SourceCookie: "cookie", SourceDirectory: "directory"}

// String is "path", "header", "query", "cookie", "directory" or "unknown".
func (s Source) String() string { return enum.Name(sourceNames, s) }
