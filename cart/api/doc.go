// Package api is the demonstration shop over HTTP: one instance in each datacenter, for carts of the whole world.
//
// New carts are at home in the instance's datacenter. Carts of other datacenters are read here, from the copy in this datacenter; writes go through this
// datacenter's query router to the cart's primary. The causal token, which comes back with every answer and goes out with the next
// request, lets a user who travels read what he wrote elsewhere.
//
// Every answer says who served it (X-Served-By: datacenter; member; role; staleness bound) and how long it took (Server-Timing). Errors are problem details
// (RFC 9457). Writes need an Idempotency-Key and can be sent again. The document at /openapi.json describes it all, and the tests hold the answers
// against it.
package api
