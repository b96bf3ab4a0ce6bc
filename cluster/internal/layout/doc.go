// Package layout says which processes a declared world needs: members of shards, config servers, query routers, and how their replica sets
// are configured. It is pure; the providers start what it names.
package layout
