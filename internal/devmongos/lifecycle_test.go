package devmongos

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
)

// run starts another router over the cluster's core and waits until it listens.
func (c *smallCluster) run(t *testing.T, edit func(*Config)) (address string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	address, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Listen: address, ConfigServers: c.config, Core: c.core, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	edit(&cfg)
	stop, ended, err = serve(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return address, stop, ended
}

// A prepared core is taken as it is; clients beyond the limit are turned away; a stop ends Run.
func secondRouter(t *testing.T, c *smallCluster) {
	address, stop, ended := c.run(t, func(cfg *Config) { cfg.MaxConnections = 2 })
	defer stop()
	var open []net.Conn
	for range 2 {
		client := raw(t, address)
		if got := client.run(t, "admin", d("hello", 1)); got["ok"] != 1.0 { // a ping asks a shard, whose connection may break
			t.Errorf("got %v", got)
		}
	}
	third, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	open = append(open, third)
	if _, err := third.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("third connection: %v, want io.EOF", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped router: %v", err)
	}
	for _, nc := range open {
		_ = nc.Close()
	}
}

func coreMustBeFree(t *testing.T, c *smallCluster) {
	err := Run(t.Context(), Config{Listen: "127.0.0.1:0", ConfigServers: c.config, Core: c.shards["s0"].members[0], Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if !errors.Is(err, ErrForeignCore) || hint.Of(err) == "" {
		t.Errorf("got %v, want ErrForeignCore with a hint", err)
	}
}

// A client that goes away takes its running command along, down to the shard.
func commandEndsWithClient(t *testing.T, c *smallCluster) {
	coll := sharded(t, c, "gone", -1)
	running := func() int {
		cur, err := c.direct(t, "s0").Database("admin").Aggregate(t.Context(), mongo.Pipeline{
			d("$currentOp", d("allUsers", true)), d("$match", d("ns", "gone.c", "command.comment", "slow")),
		})
		if err != nil {
			t.Fatal(err)
		}
		var ops []bson.M
		if err := cur.All(t.Context(), &ops); err != nil {
			t.Fatal(err)
		}
		return len(ops)
	}
	for name, filter := range map[string]bson.D{"one shard": d("k", -1), "over shards": {}} {
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			slow := append(filter, bson.E{Key: "$where", Value: "function() { sleep(600000); return true }"})
			_ = coll.Database().RunCommand(ctx, d("find", "c", "filter", slow, "comment", "slow")).Err()
		}()
		testkit.Eventually(t, testkit.Patience, name+": command runs", func() bool { return running() > 0 })
		cancel()
		<-left
		testkit.Eventually(t, testkit.Patience, name+": command has ended", func() bool { return running() == 0 })
	}
}
