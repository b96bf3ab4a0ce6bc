package devmongos

import (
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A rawClient sends commands as they are: drivers add sessions, ids and retries of their own.
type rawClient struct{ host *host }

func raw(t testing.TB, address string) rawClient {
	t.Helper()
	h := newHost(address, &backend{dial: (&net.Dialer{Timeout: dialTimeout}).DialContext})
	t.Cleanup(h.close)
	return rawClient{h}
}

// run returns the answer, whatever it says.
func (c rawClient) run(t testing.TB, db string, cmd bson.D) bson.M {
	t.Helper()
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: db}))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := c.host.run(t.Context(), command{body: bsoncore.Document(body)})
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var answer bson.M
	if err := bson.Unmarshal(rep.doc, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func d(pairs ...any) bson.D {
	var out bson.D
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return out
}
