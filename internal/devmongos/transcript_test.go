package devmongos_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/wiremessage"

	"github.com/geoshard/geoshard/internal/wire"
)

// A side is one of the two servers that are compared: the plain mongod or the sharded cluster.
type side struct {
	client  *mongo.Client
	address string
	// db holds a collection of the transcript's name, sharded by k where the side is a cluster.
	db *mongo.Database
	// servers are direct connections to the mongods that hold the documents.
	servers []*mongo.Client
}

// A transcript does something by hand and writes down what a client sees. It has to write the same on both sides; what
// may differ (cursor ids, times, texts, the order of unsorted documents) it leaves out.
type transcript struct {
	name string
	take func(ctx context.Context, t *testing.T, s side, coll *mongo.Collection, say func(string, ...any))
}

// TestTranscripts takes every transcript on a plain mongod and through devmongos, and compares what was seen.
func TestTranscripts(t *testing.T) {
	ctx := t.Context()
	plain, sharded := startPlain(t), startCluster(t)
	sharded.dropDatabase(ctx, t, "transcripts")
	for _, command := range []bson.D{d("balancerStop", 1), d("enableSharding", "transcripts", "primaryShard", "s1")} {
		if err := sharded.admin(ctx, command); err != nil {
			t.Fatalf("%s: %v", text(command), err)
		}
	}
	for i, shard := range sharded.shards {
		if err := sharded.admin(ctx, d("addShardToZone", shard, "zone", zoneName(i))); err != nil {
			t.Fatal(err)
		}
	}
	reference := side{client: plain.client, address: plain.address, db: plain.client.Database("transcripts"), servers: []*mongo.Client{plain.client}}
	cluster := side{client: sharded.client, address: sharded.address(t), db: sharded.client.Database("transcripts")}
	for _, shard := range sharded.shards {
		cluster.servers = append(cluster.servers, sharded.direct(ctx, t, shard))
	}
	for i, sc := range transcripts() {
		t.Run(sc.name, func(t *testing.T) {
			name := fmt.Sprintf("transcript%d", i)
			for j, r := range between("k", bson.MinKey{}, int32(1000), int32(2000), bson.MaxKey{}) {
				if err := sharded.admin(ctx, d("updateZoneKeyRange", "transcripts."+name, "min", r[0], "max", r[1], "zone", zoneName(j))); err != nil {
					t.Fatal(err)
				}
			}
			if err := sharded.admin(ctx, d("shardCollection", "transcripts."+name, "key", d("k", 1))); err != nil {
				t.Fatal(err)
			}
			want, got := taken(t, sc, reference, name), taken(t, sc, cluster, name)
			t.Logf("both saw:\n%s", want)
			if want != got {
				t.Errorf("got\n%s", got)
			}
			for _, s := range []side{reference, cluster} {
				if err := s.db.Collection(name).Drop(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func taken(t *testing.T, sc transcript, s side, collection string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var seen strings.Builder
	sc.take(ctx, t, s, s.db.Collection(collection), func(format string, args ...any) { fmt.Fprintf(&seen, format+"\n", args...) })
	return seen.String()
}

// outcomeOf is an error as a client can tell it from others.
func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	f := failed(err).Err
	if f == nil {
		return "no documents"
	}
	if len(f.Writes) > 3 {
		f.Writes = append(f.Writes[:3:3], fmt.Sprintf("and %d more", len(f.Writes)-3))
	}
	if f.Code == -1 {
		return f.key() + " " + f.Text
	}
	return f.key()
}

// fill inserts that many documents with k from 0 up, which lie on all shards if there are more than 2,000.
func fill(ctx context.Context, t *testing.T, coll *mongo.Collection, count int) {
	t.Helper()
	docs := make([]any, count)
	for i := range docs {
		docs[i] = d("_id", i, "k", int32(i%3000), "n", i)
	}
	if _, err := coll.InsertMany(ctx, docs); err != nil {
		t.Fatalf("fill: %v", err)
	}
}

// A line is one connection that speaks the wire protocol by hand: a driver would add its own session to every command.
type line struct{ net.Conn }

func dial(t testing.TB, address string) line {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return line{conn}
}

// send sends a command without waiting for the answer.
func (l line) send(t testing.TB, command bson.D, flags wiremessage.MsgFlag) {
	t.Helper()
	body, err := bson.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	start, message := wire.AppendMsgStart(nil, wiremessage.NextRequestID(), 0, flags)
	if _, err := l.Write(wire.AppendMsgEnd(append(message, body...), start)); err != nil {
		t.Fatalf("send %s: %v", command[0].Key, err)
	}
}

// ask sends a command and returns the answer's body.
func (l line) ask(t testing.TB, command bson.D) bson.Raw {
	t.Helper()
	l.send(t, command, 0)
	_ = l.SetReadDeadline(time.Now().Add(time.Minute))
	raw, err := wire.Read(l, nil)
	if err != nil {
		t.Fatalf("answer to %s: %v", command[0].Key, err)
	}
	message, err := wire.Decode(raw)
	if err != nil {
		t.Fatalf("answer to %s: %v", command[0].Key, err)
	}
	return bson.Raw(bsoncore.Document(message.Body))
}

// cursorOf are a cursor's id and the number of documents in its batch, of an answer to find or getMore.
func cursorOf(answer bson.Raw) (id int64, documents int, code int32) {
	id, _ = answer.Lookup("cursor", "id").AsInt64OK()
	code, _ = answer.Lookup("code").Int32OK()
	for _, field := range []string{"firstBatch", "nextBatch"} {
		if batch, ok := answer.Lookup("cursor", field).ArrayOK(); ok {
			values, _ := batch.Values()
			documents = len(values)
		}
	}
	return id, documents, code
}
