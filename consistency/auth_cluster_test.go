package consistency_test

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/signing"
)

// signed is a cluster of one server, where clients have to log in.
var signed = clustertest.World{
	YAML: `version: 1
datacenters: {HERE: {name: Here}}
shards: {s0: {members: [{dc: HERE}]}}
zones: {Z0: {shards: [s0]}}
`,
	Options: local.Options{Name: "signed", Auth: true},
}

// Where clients have to log in, servers sign their times and check the signatures that come back: the token carries it. A member takes the token; it
// refuses one whose time was changed, even when it is sealed again with the right key. Without a router: a development router would have vouched for it.
func TestTokensCarryTheServersSignature(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: -short leaves out what needs a cluster with authentication")
	}
	t.Parallel()
	ctx, c := t.Context(), signed.Start(t)
	began := time.Now()
	admin, err := c.SecretMemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	// Not as the administrator, who may advance the cluster's time by himself.
	root := connectTo(t, admin)
	err = root.Database("admin").RunCommand(ctx, bson.D{{Key: "createUser", Value: "shop"}, {Key: "pwd", Value: "shop"}, {Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "readWrite"}, {Key: "db", Value: "shop"}}}}}).Err()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := c.MemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	as := func() *mongo.Client {
		o := options.Client().ApplyURI(plain).SetAuth(options.Credential{Username: "shop", Password: "shop", AuthSource: "admin"})
		client, err := mongo.Connect(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
		return client
	}
	r := ring(t, key(t, "k", 1))
	text := signedToken(t, r, as())
	token, err := consistency.OpenToken(r, text, time.Now(), consistency.Limits{})
	if err != nil || token.Signature == (consistency.Signature{}) {
		t.Fatalf("got %+v, %v, want a server's signature", token, err)
	}
	t.Logf("%d characters with signature, after %s", len(text), time.Since(began).Round(10*time.Millisecond))
	read := func(token consistency.Token) error {
		client := as()
		session, err := client.StartSession(lookup(t, "session").SessionOptions())
		if err != nil {
			return err
		}
		defer session.EndSession(context.Background())
		if err := token.Advance(session); err != nil {
			return err
		}
		return consistency.Within(mongo.NewSessionContext(ctx, session), 10*time.Second, func(ctx context.Context) error {
			return client.Database("shop").Collection("c").FindOne(ctx, bson.D{}).Err()
		})
	}
	if err := read(token); err != nil {
		t.Errorf("the token itself: %v", err)
	}
	forged := token
	forged.ClusterTime.T += 20
	forged.OperationTime = forged.ClusterTime
	err = read(forged)
	t.Logf("with a later time: %v, after %s", err, time.Since(began).Round(10*time.Millisecond))
	if err == nil {
		t.Error("the server took a time that it had not signed: the signature is not checked, or not sent")
	}
}

func connectTo(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// signedToken writes and returns the sealed token.
func signedToken(t *testing.T, r *signing.Keyring, client *mongo.Client) string {
	t.Helper()
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	if _, err := client.Database("shop").Collection("c").InsertOne(mongo.NewSessionContext(t.Context(), session), bson.D{}); err != nil {
		t.Fatal(err)
	}
	token, err := consistency.TokenOf(session, "HERE", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return seal(t, r, token)
}
