// Package existing looks at somebody's own sharded cluster, which it reaches by a connection string.
//
// It only reads: it never starts, stops or changes anything, and never prints a connection string unredacted.
//
//	v, err := existing.Connect(ctx, existing.Options{Name: "prod", URI: uri, Topology: t})
//	defer v.Close(ctx)
//	status, err := v.Status(ctx)
package existing
