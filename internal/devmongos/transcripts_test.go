package devmongos_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"github.com/geoshard/geoshard/internal/testkit"
)

func transcripts() []transcript {
	return []transcript{
		{"cursors of many documents in batches of 1, 2 and 101", manyBatches},
		{"a killed cursor is gone", killedCursor},
		{"getMore on another connection", anotherConnection},
		{"one pool shared by many cursors", sharedPool},
		{"tailable cursors", tailableCursors},
		{"commands with wrong arguments", wrongArguments},
		{"500 clients at once", clients500},
		{"a client goes away in the middle of a long operation", goneClient},
		{"writes that nobody waits for", unacknowledged},
		{"documents near 16 MB", largeDocuments},
		{"messages near 48 MB", largeMessages},
		{"100,000 inserts in a batch", largeBatches},
	}
}

func manyBatches(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	count := testkit.Count(t, "documents", 1_500, 20_000)
	fill(ctx, t, coll, count)
	for _, batch := range []int32{1, 2, 101, 0} {
		for _, sort := range []bson.D{nil, d("n", -1)} {
			o := options.Find()
			set(o.SetBatchSize, batch)
			if sort != nil {
				o.SetSort(sort)
			}
			cursor, err := coll.Find(ctx, bson.D{}, o)
			if err != nil {
				say("batch %d, sort %v: %s", batch, sort, outcomeOf(err))
				continue
			}
			seen, ordered, last := map[int32]bool{}, true, int32(count)
			for cursor.Next(ctx) {
				n := cursor.Current.Lookup("n").Int32()
				seen[n], ordered, last = true, ordered && n == last-1, n
			}
			say("batch %d, sort %v: %d documents, in order %v, %s", batch, sort != nil, len(seen), sort == nil || ordered, outcomeOf(cursor.Err()))
		}
	}
}

func killedCursor(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 3000)
	l := dial(t, s.address)
	for _, filter := range []bson.D{d(), d("k", int32(5)), d("k", d("$lt", int32(50)))} {
		id, n, code := cursorOf(l.ask(t, d("find", coll.Name(), "filter", filter, "batchSize", 1, "$db", "transcripts")))
		say("find %s: %d documents, open %v, code %d", text(filter), n, id != 0, code)
		if id == 0 {
			continue
		}
		killed := l.ask(t, d("killCursors", coll.Name(), "cursors", bson.A{id, int64(12345)}, "$db", "transcripts"))
		say("killCursors: killed %d, not found %d, alive %d, unknown %d", lengthOf(killed, "cursorsKilled"), lengthOf(killed, "cursorsNotFound"), lengthOf(killed, "cursorsAlive"), lengthOf(killed, "cursorsUnknown"))
		_, n, code = cursorOf(l.ask(t, d("getMore", id, "collection", coll.Name(), "$db", "transcripts")))
		say("getMore: %d documents, code %d", n, code)
		killed = l.ask(t, d("killCursors", coll.Name(), "cursors", bson.A{id}, "$db", "transcripts"))
		say("killCursors again: killed %d, not found %d", lengthOf(killed, "cursorsKilled"), lengthOf(killed, "cursorsNotFound"))
	}
}

func lengthOf(answer bson.Raw, field string) int {
	array, _ := answer.Lookup(field).ArrayOK()
	values, _ := array.Values()
	return len(values)
}

func anotherConnection(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 3000)
	one, other := dial(t, s.address), dial(t, s.address)
	lsid := d("id", bson.Binary{Subtype: 4, Data: []byte("0123456789abcdef")})
	for _, with := range []struct {
		name         string
		opens, reads bson.D
	}{
		{"no session", nil, nil}, {"the same session", d("lsid", lsid), d("lsid", lsid)}, {"a session only at first", d("lsid", lsid), nil}, {"a session only later", nil, d("lsid", lsid)},
	} {
		id, n, code := cursorOf(one.ask(t, append(d("find", coll.Name(), "batchSize", 100, "$db", "transcripts"), with.opens...)))
		say("%s: find %d documents, code %d", with.name, n, code)
		total := n
		for id != 0 && code == 0 {
			one, other = other, one
			id, n, code = cursorOf(one.ask(t, append(d("getMore", id, "collection", coll.Name(), "batchSize", 500, "$db", "transcripts"), with.reads...)))
			total += n
		}
		say("%s: %d documents over two connections, refused %v", with.name, total, code != 0)
	}
	// The connection that opened the cursor ends; the cursor lives on.
	opener := dial(t, s.address)
	id, n, _ := cursorOf(opener.ask(t, d("find", coll.Name(), "batchSize", 10, "$db", "transcripts")))
	_ = opener.Close()
	_, rest, code := cursorOf(other.ask(t, d("getMore", id, "collection", coll.Name(), "batchSize", 5000, "$db", "transcripts")))
	say("after its connection ended: %d and %d documents, code %d", n, rest, code)
}

func sharedPool(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 3000)
	var mu sync.Mutex // guards used
	used := map[int64]map[string]bool{}
	monitor := &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if id, ok := e.Command.Lookup("getMore").AsInt64OK(); ok {
			mu.Lock()
			defer mu.Unlock()
			if used[id] == nil {
				used[id] = map[string]bool{}
			}
			used[id][e.ConnectionID] = true
		}
	}}
	client := connectWith(t, options.Client().ApplyURI("mongodb://"+s.address).SetDirect(true).SetMaxPoolSize(4).SetMonitor(monitor))
	var all sync.WaitGroup
	counts := make([]string, 16)
	for i := range counts {
		all.Go(func() {
			cursor, err := client.Database("transcripts").Collection(coll.Name()).Find(ctx, d("k", d("$mod", bson.A{16, i})), options.Find().SetBatchSize(7))
			if err != nil {
				counts[i] = outcomeOf(err)
				return
			}
			n := 0
			for cursor.Next(ctx) {
				n++
			}
			counts[i] = fmt.Sprintf("%d %s", n, outcomeOf(cursor.Err()))
		})
	}
	all.Wait()
	several := 0
	for _, connections := range used {
		if len(connections) > 1 {
			several++
		}
	}
	say("%s; a cursor went over several connections: %v", strings.Join(counts, ", "), several > 0)
}

func wrongArguments(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 3000)
	l := dial(t, s.address)
	for _, command := range []bson.D{
		d("find", coll.Name(), "tailable", true), d("find", coll.Name(), "batchSize", -1), d("find", coll.Name(), "skip", -1), d("find", coll.Name(), "limit", "x"), d("find", coll.Name(), "awaitData", true),
		d("getMore", int64(424242), "collection", coll.Name()), d("getMore", "x", "collection", coll.Name()), d("getMore", int64(1)), d("getMore", int64(1), "collection", ""),
		d("killCursors", coll.Name(), "cursors", bson.A{}), d("killCursors", coll.Name()), d("killCursors", coll.Name(), "cursors", bson.A{"x"}),
		d("find", ""), d("find", 5), d("aggregate", coll.Name(), "pipeline", bson.A{}), d("aggregate", coll.Name(), "pipeline", "x", "cursor", d()), d("find", coll.Name(), "filter", "x"),
		d("find", "no.such", "filter", d("a", 1)), d("count", coll.Name(), "limit", -3), d("distinct", coll.Name()), d("distinct", coll.Name(), "key", 5), d("find", coll.Name(), "readConcern", d("level", "none such")),
		d("find", coll.Name(), "maxTimeMS", -1), d("insert", coll.Name(), "documents", bson.A{}), d("insert", coll.Name()), d("delete", coll.Name(), "deletes", bson.A{d("q", d(), "limit", 2)}),
		d("update", coll.Name(), "updates", bson.A{d("q", d("_id", 1, "k", 1))}), d("findAndModify", coll.Name(), "query", d("_id", 1, "k", 1)), d("findAndModify", coll.Name(), "query", d("_id", 1, "k", 1), "remove", true, "update", d("a", 1)),
		d("insert", coll.Name(), "documents", bson.A{d("_id", bson.A{1}, "k", 1)}), d("insert", coll.Name(), "documents", bson.A{d("_id", bson.Regex{Pattern: "x"}, "k", 1)}), d("insert", coll.Name(), "documents", bson.A{d("_id", d("$x", 1), "k", 1)}),
	} {
		answer := l.ask(t, append(command[:len(command):len(command)], bson.E{Key: "$db", Value: "transcripts"}))
		_, n, code := cursorOf(answer)
		var of []string
		if list, ok := answer.Lookup("writeErrors").ArrayOK(); ok {
			values, _ := list.Values()
			for _, v := range values {
				of = append(of, fmt.Sprintf("%v:%v", v.Document().Lookup("index"), v.Document().Lookup("code")))
			}
		}
		say("%s: %d documents, code %d, write errors %v, ok %v", text(command), n, code, of, answer.Lookup("ok"))
	}
}

func tailableCursors(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 10)
	_, err := coll.Find(ctx, bson.D{}, options.Find().SetCursorType(options.TailableAwait))
	say("tail of a collection that is not capped: %s", outcomeOf(err))
	capped := s.db.Collection("capped")
	_ = capped.Drop(ctx)
	if err := s.db.CreateCollection(ctx, "capped", options.CreateCollection().SetCapped(true).SetSizeInBytes(1<<20)); err != nil {
		say("capped: %s", outcomeOf(err))
	}
	_, err = capped.InsertOne(ctx, d("_id", 1))
	say("insert: %s", outcomeOf(err))
	cursor, err := capped.Find(ctx, bson.D{}, options.Find().SetCursorType(options.Tailable))
	say("tail: %s", outcomeOf(err))
	if err != nil {
		return
	}
	say("first document: %v", cursor.TryNext(ctx))
	say("none yet: %v", cursor.TryNext(ctx))
	_, _ = capped.InsertOne(ctx, d("_id", 2))
	say("next document: %v %v", cursor.TryNext(ctx), cursor.Current)
	say("close: %s", outcomeOf(cursor.Close(ctx)))
}

func clients500(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	const clients = 500
	client := connectWith(t, options.Client().ApplyURI("mongodb://"+s.address).SetDirect(true).SetMaxPoolSize(clients).SetMinPoolSize(clients).SetMaxConnecting(20))
	own := client.Database("transcripts").Collection(coll.Name())
	seen := make([]string, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			one := d("_id", i, "k", int32(i*6))
			_, inserted := own.InsertOne(ctx, append(one[:2:2], bson.E{Key: "n", Value: 0}))
			_, updated := own.UpdateOne(ctx, one, d("$inc", d("n", i)))
			found := failed(own.FindOne(ctx, d("k", int32(i*6), "n", i)).Err())
			count, counted := own.CountDocuments(ctx, d("_id", i))
			seen[i] = fmt.Sprint(outcomeOf(inserted), outcomeOf(updated), found, count, outcomeOf(counted))
		})
	}
	all.Wait()
	kinds := map[string]int{}
	for _, text := range seen {
		kinds[text]++
	}
	say("%v", kinds)
}

// goneClient starts a search that takes minutes and closes the connection. The servers stop searching, and others are
// still served.
func goneClient(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 3000)
	for i, command := range []bson.D{
		d("find", coll.Name(), "filter", d("$where", "sleep(200) || false")),
		d("aggregate", coll.Name(), "pipeline", bson.A{d("$match", d("$expr", d("$function", d("body", "function() { sleep(200); return false }", "args", bson.A{}, "lang", "js")))), d("$sort", d("n", 1))}, "cursor", d()),
		d("find", coll.Name(), "filter", d("k", int32(1), "$where", "sleep(600000) || false")),
	} {
		comment := fmt.Sprintf("gone client %d", i)
		l := dial(t, s.address)
		l.send(t, append(command, bson.E{Key: "comment", Value: comment}, bson.E{Key: "$db", Value: "transcripts"}), 0)
		testkit.Eventually(t, testkit.Patience, "it runs", func() bool { return running(ctx, s, comment) > 0 })
		_ = l.Close()
		testkit.Eventually(t, testkit.Patience, "it has ended after the client left", func() bool { return running(ctx, s, comment) == 0 })
	}
	n, err := coll.CountDocuments(ctx, bson.D{})
	say("others count %d: %s", n, outcomeOf(err))
}

// running is how many operations with that comment the servers are working on.
func running(ctx context.Context, s side, comment string) (n int) {
	for _, server := range s.servers {
		cursor, err := server.Database("admin").Aggregate(ctx, []bson.D{d("$currentOp", d("localOps", true, "idleCursors", false)), d("$match", d("command.comment", comment, "active", true))})
		if err != nil {
			continue
		}
		for cursor.Next(ctx) {
			n++
		}
	}
	return n
}

func unacknowledged(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	fill(ctx, t, coll, 10)
	silent := s.db.Collection(coll.Name(), options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
	for i := range 200 {
		_, err := silent.InsertOne(ctx, d("_id", 1000+i, "k", int32(i*20)))
		if i == 0 {
			say("insert: %v", err)
		}
	}
	testkit.Eventually(t, testkit.Patience, "all arrive", func() bool { n, _ := coll.CountDocuments(ctx, bson.D{}); return n == 210 })
	_, _ = silent.UpdateMany(ctx, d("_id", d("$gte", 1000)), d("$set", d("silent", true)))
	testkit.Eventually(t, testkit.Patience, "all are updated", func() bool { n, _ := coll.CountDocuments(ctx, d("silent", true)); return n == 200 })
	_, _ = silent.InsertOne(ctx, d("_id", 1000, "k", int32(0))) // a duplicate: nobody is told
	_, _ = silent.DeleteOne(ctx, d("_id", 1001, "k", int32(20)))
	testkit.Eventually(t, testkit.Patience, "one is deleted", func() bool { n, _ := coll.CountDocuments(ctx, bson.D{}); return n == 209 })
	// By hand: no answer comes to the first command, so the next thing that arrives answers the second.
	l := dial(t, s.address)
	l.send(t, d("insert", coll.Name(), "documents", bson.A{d("_id", 5000, "k", int32(1))}, "writeConcern", d("w", 0), "$db", "transcripts"), wiremessage.MoreToCome)
	_, n, code := cursorOf(l.ask(t, d("find", coll.Name(), "filter", d("_id", 5000), "$db", "transcripts")))
	say("the same connection sees it at once: %d documents, code %d", n, code)
}

func largeDocuments(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	const most = 16 << 20
	// An empty document with these fields has 5 + 9 (_id) + 7 (k) + 8 (s, its length and its end) bytes.
	sized := func(id int32, size int) bson.D {
		return d("_id", id, "k", id*1500, "s", strings.Repeat("x", size-29))
	}
	for i, size := range []int{most - 1, most, most + 1, most + 1000} {
		doc := sized(int32(i), size)
		raw, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = coll.InsertOne(ctx, doc)
		say("insert of %d bytes: accepted %v", len(raw)-most, err == nil)
		if size <= most && err != nil {
			t.Errorf("insert of %d bytes: %v", len(raw), err)
		}
	}
	_, err := coll.UpdateOne(ctx, d("_id", int32(0), "k", int32(0)), d("$set", d("more", "too much")))
	say("grow beyond the limit: %s", outcomeOf(err))
	_, err = coll.UpdateOne(ctx, d("_id", int32(0)), d("$set", d("more", "too much")))
	say("grow beyond the limit by _id: %s", outcomeOf(err))
	var back struct{ S string }
	err = coll.FindOneAndUpdate(ctx, d("_id", int32(0), "k", int32(0)), d("$set", d("k", int32(0)))).Decode(&back)
	say("findAndModify answers %d bytes: %s", len(back.S)-most, outcomeOf(err))
	cursor, err := coll.Find(ctx, bson.D{}, options.Find().SetSort(d("_id", 1)))
	say("find: %s", outcomeOf(err))
	for err == nil && cursor.Next(ctx) {
		say("document of %d bytes", len(cursor.Current)-most)
	}
	cursor, err = coll.Aggregate(ctx, []bson.D{d("$group", d("_id", nil, "all", d("$push", bson.A{"$s", "$s"})))})
	say("a group of more than 16 MB: refused %v", drained(ctx, cursor, err).Err != nil)
	_, err = coll.Distinct(ctx, "s", bson.D{}).Raw()
	say("distinct of more than 16 MB: refused %v", err != nil)
}

func largeMessages(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	l := dial(t, s.address)
	hello := l.ask(t, d("hello", 1, "$db", "admin"))
	for _, field := range []string{"maxBsonObjectSize", "maxMessageSizeBytes", "maxWriteBatchSize"} {
		say("%s %v", field, hello.Lookup(field))
	}
	var docs []any
	for i := range 9 {
		docs = append(docs, d("_id", i, "k", int32(i*330), "s", strings.Repeat("y", 47_900_000/9)))
	}
	_, err := coll.InsertMany(ctx, docs)
	say("one message of 47.9 MB: %s", outcomeOf(err))
	_, err = coll.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	say("once more, unordered: %s", outcomeOf(err))
	cursor, err := coll.Find(ctx, bson.D{})
	say("find: %s", outcomeOf(err))
	total := 0
	for err == nil && cursor.Next(ctx) {
		total += len(cursor.Current)
	}
	say("read %d bytes", total)
}

func largeBatches(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any)) {
	const count = 100_000
	docs := make([]any, count)
	for i := range docs {
		docs[i] = d("_id", i, "k", int32(i%3000))
	}
	r, err := coll.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	say("unordered: %d, %s", len(r.InsertedIDs), outcomeOf(err))
	n, err := coll.CountDocuments(ctx, bson.D{})
	say("count %d, %s", n, outcomeOf(err))
	deleted, err := coll.DeleteMany(ctx, d("_id", d("$ne", count-1)))
	say("deleted %d, %s", deleted.DeletedCount, outcomeOf(err))
	// Ordered, in runs of one shard, so that the last one fails after all the others.
	ordered := make([]any, testkit.Count(t, "documents of an ordered batch", 20_000, count))
	for i := range ordered {
		ordered[i] = d("_id", i, "k", int32(i*3000/len(ordered)))
	}
	ordered[len(ordered)-1] = docs[count-1]
	_, err = coll.InsertMany(ctx, ordered)
	say("ordered, the last one a duplicate: %s", outcomeOf(err))
	n, err = coll.CountDocuments(ctx, bson.D{})
	say("count %d, %s", n, outcomeOf(err))
	many := make(bson.A, count+1)
	for i := range many {
		many[i] = d("q", d("_id", -1, "k", 1), "limit", 1)
	}
	err = s.db.RunCommand(ctx, d("delete", coll.Name(), "deletes", many)).Err()
	say("one more than allowed: %s", outcomeOf(err))
}
