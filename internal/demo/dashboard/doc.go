// Package dashboard is the web page of a running demonstration: the cluster as it is, live, and buttons to shop in it and to break it.
//
// The page reads the cluster and never a script: members, lags and primaries are what the servers say, chunks and zones what the catalogue has, routes and
// times what the gateways answered to real requests. It watches; it decides nothing, and starts and ends no cluster.
//
// Everybody on this machine may look. Whoever changes something has to send the token in a header, from a page of the same origin, under a name that is not
// somebody else's; see Options.Token.
//
//	d, err := dashboard.New(dashboard.Options{World: world, Token: dashboard.NewToken()})
//	err = dashboard.Serve(ctx, d, listener) // until the context ends
package dashboard
