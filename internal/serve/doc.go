// Package serve is what programs that answer HTTP share: [Run] answers until a context ends and lets the requests under way end, [NewTLS] reads
// certificates and reads them again, [OnThisMachine] says who can reach an address, and [Traces] sends spans where the environment says.
//
// It knows no handlers and sets no limits: those are the servers' own.
//
//	err := serve.Run(ctx, 10*time.Second, serve.Server{Server: server, On: listener})
package serve
