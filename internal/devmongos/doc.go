// Package devmongos is a query router for development clusters on machines that have a mongod 6.0 but no mongos.
//
// It makes a sharded cluster usable through one address, as a mongos does: it looks like one to drivers, keeps the routing
// table of config.chunks, sends point reads and all writes straight to the primary of the owning shard with the shard version
// that protects them from moving chunks, and leaves every other read to MongoDB's own router code, which runs inside the
// core: a mongod of its own, outside the cluster's data, that executes clusterFind and clusterAggregate.
//
// Transactions run on the owning shards with the client's session and number, and commit through MongoDB's coordinator; the router merges
// what it reads in them, since the core cannot take part. A change of a shard key that takes a document to another shard becomes a delete
// and an insert in one transaction. Nothing of it is kept here: another router can tell the outcome.
//
// It is for development clusters only. It never stores anything, never runs with another server
// version than 6.0.x, does no compression, and never sends a command it does not know anywhere.
// Where the cluster has users, a client has to prove to the config servers which one it is (SCRAM)
// before anything else; what that user may do the config servers say too, and the router refuses
// the rest.
//
//	err := devmongos.Run(ctx, devmongos.Config{
//		Listen:        "127.0.0.1:27017",
//		ConfigServers: "config/127.0.0.1:27019",
//		Core:          "127.0.0.1:27100", // a blank mongod --shardsvr --replSet router-nyc
//	})
//
// Commands are rows of tables (see handler): a name and the method that answers it. The package has parts, each with a type that is made of the parts
// below it; a file's name begins with its part, and parts_test.go says what each one is and in which order they stand.
package devmongos
