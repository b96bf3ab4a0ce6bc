// Package server runs the demonstration shop in one datacenter. [Setup] makes the collections of a shop in a cluster. [Run] runs one datacenter's instance:
// the HTTP API, the inventory service and the shipping process. The program cartdemo and `geoshard demo` both run it.
//
//	err := server.Setup(ctx, server.SetupOptions{Target: target})
//	err = server.Run(ctx, server.Options{Target: target, DataCenter: "LON"}) // until the context ends
//
// An instance listens on this machine alone, unless it is told otherwise and has TLS, or is told that it shall do without. It prints no connection string and no
// key.
package server
