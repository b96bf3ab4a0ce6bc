package clients_test

import (
	"context"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/e2e/clients"
)

// TestPrompt types into mongosh as a user does: the prompt has to say mongos, and the shell's own commands have to work.
func TestPrompt(t *testing.T) {
	c := need(t, clients.Mongosh)
	uri := routerURI(t)
	defer dropDatabase(t, place{uri: uri}, "mongosh_prompt")
	typed := []string{
		"db.hello().msg",
		"use mongosh_prompt",
		"db.things.insertOne({_id: 'typed'})",
		"show collections",
		"show dbs",
		"db.things.find()",
		"sh.status()",
		"it",
	}
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	printed, err := c.REPL(ctx, uri, strings.Join(typed, "\n")+"\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"[direct: mongos] test>", "isdbgrid",
		"switched to db mongosh_prompt", "[direct: mongos] mongosh_prompt>",
		"acknowledged: true", "things", "config", "_id: 'typed'",
		"shardingVersion", "shards", "balancer", "databases",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q was not printed", want)
		}
	}
	if strings.Contains(printed, "Error") {
		t.Error("an error was printed")
	}
	if t.Failed() {
		t.Logf("printed:\n%s", printed)
	}
}
