// Package gateway is the HTTP proxy of one datacenter: it gets each request to the datacenter that package router chooses for it.
//
// A request is forwarded to the application's upstreams of that datacenter, or redirected to the gateway there, as its route says; request and answer are
// streamed. Each try of a request is a decision of its own. While a shard elects a primary, or when a datacenter is lost, requests that may be sent again
// are held within bounds and sent where the record can be written by then, so that clients see latency and no errors. What may have reached an
// upstream is sent again only if it is safe or carries an Idempotency-Key.
//
// The gateway judges upstreams by active checks and by what becomes of requests, and can follow the shards' primaries. It never decides who is primary: MongoDB does.
// A gateway that is wrong about the world costs time, not data. Upstreams are those of the topology; nothing that a client sends names another.
package gateway
