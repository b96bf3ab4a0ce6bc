// Package client sends requests to a demonstration's gateways, as customers and suppliers in its datacenters would, and reads from the answers which way they took.
//
// It knows requests and answers alone: who asks what, and whether to ask again, is for the caller to say.
//
//	c := client.New(world)
//	defer c.Close()
//	var made cart.Cart
//	answer, err := c.Send(ctx, client.NewCart("LON", "amy"), &made)
//	// answer.To is the datacenter that served it, err a *RefusedError
package client
