// Package redact keeps credentials out of what people read: connection strings, and errors that quote them.
//
//	redact.URI("mongodb://amy:secret@db.example.net/shop") // "mongodb://…@db.example.net"
package redact
