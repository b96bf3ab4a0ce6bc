// Package demo is the program cartdemo: it wires the demonstration shop together. [Setup] makes the collections of a shop in a cluster, [Serve] runs one
// datacenter's instance: the HTTP API, the inventory service and the shipping process.
//
//	cartdemo setup --name geoshard
//	cartdemo serve --name geoshard --dc LON --listen 127.0.0.1:8082
//
// An instance listens on this machine alone, unless it is told otherwise and has TLS, or is told that it shall do without. It prints no connection string and no
// key.
package demo
