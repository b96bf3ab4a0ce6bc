package local_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
)

// guardedWorld has two datacenters and one shard that survives the loss of a member.
const guardedWorld = `
version: 1
datacenters: {NYC: {}, LON: {}}
links: [{between: [NYC, LON], rtt: 20ms}]
shards:
  nyc: {members: [{dc: NYC, priority: 2}, {dc: LON}, {dc: LON}]}
  lon: {members: [{dc: LON, priority: 2}, {dc: NYC}]}
`

func startGuarded(t *testing.T, o local.Options) *local.Cluster {
	t.Helper()
	world, err := topology.Parse("guarded", []byte(guardedWorld))
	if err != nil {
		t.Fatal(err)
	}
	o.Topology = world
	return start(t, o)
}

// A cluster with users and TLS lets in whom it should, and nobody else; its members find each other again after a crash.
func TestSecurity(t *testing.T) {
	t.Parallel()
	c := startGuarded(t, local.Options{Name: "guarded", Auth: true, TLS: true})
	status, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range status.Members {
		if m.State != cluster.StateUp {
			t.Errorf("%s: got %v (%s), want up", m.Name, m.State, m.Detail)
		}
	}
	if a := status.Access; a == nil || !a.Authentication || !a.TLS {
		t.Errorf("got access %+v, want authentication and TLS", status.Access)
	}
	t.Run("intruders", func(t *testing.T) { intruders(t, c) })
	t.Run("user", func(t *testing.T) { user(t, c) })
	t.Run("secrets", func(t *testing.T) { secrets(t, c, status) })
	t.Run("lag", func(t *testing.T) {
		err := c.SetLag(t.Context(), "nyc/LON", time.Second)
		if !errors.Is(err, cluster.ErrUnsupported) || clustertest.Hint(err) == "" {
			t.Errorf("got %v, want ErrUnsupported with a hint", err)
		}
	})
	t.Run("crash", func(t *testing.T) { crash(t, c) })
	t.Run("router", func(t *testing.T) { restartedRouter(t, c) })
}

// impatient bounds what fails only by a driver's patience.
const impatient = 3 * time.Second

func intruders(t *testing.T, c *local.Cluster) {
	for what, uris := range map[string][2]string{
		"router": {must(t)(c.URI("NYC")), must(t)(c.SecretURI("NYC"))},
		"member": {must(t)(c.MemberURI("nyc/NYC")), must(t)(c.SecretMemberURI("nyc/NYC"))},
	} {
		without, secret := uris[0], uris[1]
		_, at, _ := strings.Cut(secret, "@")
		for _, intruder := range []struct{ name, uri string }{
			{"no password", without},
			{"wrong password", "mongodb://" + local.AdminUser + ":wrong@" + at},
			{"unknown user", "mongodb://nobody:wrong@" + at},
			{"no TLS", strings.Split(secret, "?")[0] + "?authSource=admin"},
			{"strange authority", withoutCA(secret)},
		} {
			client := connect(t, options.Client().ApplyURI(intruder.uri).SetServerSelectionTimeout(impatient))
			_, err := client.Database("shop").Collection("carts").CountDocuments(t.Context(), bson.D{})
			if err == nil {
				t.Errorf("%s with %s: got in", what, intruder.name)
				continue
			}
			var answer mongo.ServerError
			if intruder.name == "no password" && !(errors.As(err, &answer) && answer.HasErrorCode(13)) {
				t.Errorf("%s with %s: got %v, want Unauthorized", what, intruder.name, err)
			}
			t.Logf("%s with %s: %.150s", what, intruder.name, err)
		}
	}
	// The members' own user belongs to their local databases, and a query router has none: not even
	// the keyfile opens it.
	key, err := os.ReadFile(filepath.Join(c.Dir(), "secrets", "keyfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, db := range []string{"local", "admin"} {
		member := options.Client().ApplyURI(must(t)(c.URI("NYC"))).SetServerSelectionTimeout(impatient).
			SetAuth(options.Credential{AuthMechanism: "SCRAM-SHA-256", AuthSource: db, Username: "__system", Password: string(key)})
		err := connect(t, member).Database("admin").RunCommand(t.Context(), bson.D{{Key: "listDatabases", Value: 1}}).Err()
		var answer mongo.ServerError
		if want := map[string]int{"local": 20, "admin": 18}[db]; !errors.As(err, &answer) || !answer.HasErrorCode(want) {
			t.Errorf("router with __system of %s: got %v, want code %d", db, err, want)
		}
	}
	// What everybody may ask.
	uri := must(t)(c.URI("LON"))
	client := connect(t, options.Client().ApplyURI(uri))
	for _, command := range []string{"ping", "buildInfo", "hello", "connectionStatus"} {
		if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: command, Value: 1}}).Err(); err != nil {
			t.Errorf("%s without password: %v", command, err)
		}
	}
	for _, command := range []string{"listDatabases", "usersInfo", "serverStatus", "getLog", "isMastr"} {
		if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: command, Value: 1}}).Err(); err == nil {
			t.Errorf("%s without password: was answered", command)
		}
	}
}

func user(t *testing.T, c *local.Cluster) {
	admin := connect(t, options.Client().ApplyURI(must(t)(c.SecretURI("NYC"))))
	other := connect(t, options.Client().ApplyURI(must(t)(c.SecretURI("LON"))))
	carts := admin.Database("shop").Collection("carts", options.Collection().SetWriteConcern(writeconcern.Majority()))
	for i := range 20 {
		if _, err := carts.InsertOne(t.Context(), bson.D{{Key: "_id", Value: i}}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := other.Database("shop").Collection("carts").CountDocuments(t.Context(), bson.D{}); err != nil || n != 20 {
		t.Errorf("got %d, %v through the other router, want 20", n, err)
	}
	var who struct {
		AuthInfo struct {
			Users []struct{ User, DB string } `bson:"authenticatedUsers"`
		} `bson:"authInfo"`
	}
	if err := admin.Database("admin").RunCommand(t.Context(), bson.D{{Key: "connectionStatus", Value: 1}}).Decode(&who); err != nil {
		t.Fatal(err)
	}
	if u := who.AuthInfo.Users; len(u) != 1 || u[0].User != local.AdminUser || u[0].DB != "admin" {
		t.Errorf("got users %v, want %s@admin", u, local.AdminUser)
	}
	// A second user, of another database, by both mechanisms.
	shop := admin.Database("shop")
	run := func(command bson.D) {
		t.Helper()
		if err := shop.RunCommand(t.Context(), command).Err(); err != nil {
			t.Fatal(err)
		}
	}
	run(bson.D{{Key: "createUser", Value: "clerk"}, {Key: "pwd", Value: "päss word"}, {Key: "roles", Value: bson.A{"readWrite"}}})
	for _, mechanism := range []string{"", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		login := options.Client().ApplyURI(must(t)(c.URI("LON"))).SetAuth(options.Credential{
			AuthMechanism: mechanism, AuthSource: "shop", Username: "clerk", Password: "päss word",
		})
		if n, err := connect(t, login).Database("shop").Collection("carts").CountDocuments(t.Context(), bson.D{}); err != nil || n != 20 {
			t.Errorf("clerk by %q: got %d, %v, want 20", mechanism, n, err)
		}
	}
	may(t, c)
	var info struct {
		Users []bson.Raw `bson:"users"`
	}
	if err := shop.RunCommand(t.Context(), bson.D{{Key: "usersInfo", Value: "clerk"}}).Decode(&info); err != nil || len(info.Users) != 1 {
		t.Errorf("usersInfo: got %v, %v, want clerk", info.Users, err)
	}
	run(bson.D{{Key: "dropUser", Value: "clerk"}})
	causal(t, admin, other)
	transaction(t, admin)
}

// may asks what a user with the role readWrite of one database may do through a query router.
func may(t *testing.T, c *local.Cluster) {
	t.Helper()
	clerk := connect(t, options.Client().ApplyURI(must(t)(c.URI("LON"))).
		SetAuth(options.Credential{AuthSource: "shop", Username: "clerk", Password: "päss word"}))
	one := func(name string, value any, more ...bson.E) bson.D {
		return append(bson.D{{Key: name, Value: value}}, more...)
	}
	pipeline := func(stage string, operand any) bson.E {
		return bson.E{Key: "pipeline", Value: bson.A{bson.D{{Key: stage, Value: operand}}}}
	}
	cursor := bson.E{Key: "cursor", Value: bson.D{}}
	for _, q := range []struct {
		db  string
		cmd bson.D
		may bool
	}{
		{"shop", one("insert", "carts", bson.E{Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: "clerk"}}}}), true},
		{"shop", one("delete", "carts", bson.E{Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: "clerk"}}}, {Key: "limit", Value: 1}}}}), true},
		{"shop", one("aggregate", "carts", pipeline("$lookup", bson.D{
			{Key: "from", Value: "notes"}, {Key: "as", Value: "n"}, {Key: "localField", Value: "_id"}, {Key: "foreignField", Value: "_id"},
		}), cursor), true},
		{"shop", one("collStats", "carts"), true},
		{"shop", one("dropDatabase", 1), false},
		{"shop", one("createUser", "other", bson.E{Key: "pwd", Value: "x"}, bson.E{Key: "roles", Value: bson.A{}}), false},
		{"shop", one("aggregate", "carts", pipeline("$out", bson.D{{Key: "db", Value: "other"}, {Key: "coll", Value: "c"}}), cursor), false},
		{"other", one("find", "c"), false},
		{"config", one("find", "shards"), false},
		{"admin", one("listShards", 1), false},
		{"admin", one("addShardToZone", "nyc", bson.E{Key: "zone", Value: "Z"}), false},
		{"admin", one("shardCollection", "shop.carts", bson.E{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}), false},
	} {
		err := clerk.Database(q.db).RunCommand(t.Context(), q.cmd).Err()
		var answer mongo.ServerError
		if refused := errors.As(err, &answer) && answer.HasErrorCode(13); refused == q.may || q.may && err != nil {
			t.Errorf("the clerk's %v on %s: got %v, want allowed: %v", q.cmd, q.db, err, q.may)
		}
	}
}

// transaction writes on both shards at once.
func transaction(t *testing.T, client *mongo.Client) {
	for _, shard := range []string{"nyc", "lon"} {
		enable := bson.D{{Key: "enableSharding", Value: "bank_" + shard}, {Key: "primaryShard", Value: shard}}
		if err := client.Database("admin").RunCommand(t.Context(), enable).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.Database("bank_"+shard).CreateCollection(t.Context(), "accounts"); err != nil {
			t.Fatal(err)
		}
	}
	err := client.UseSession(t.Context(), func(ctx context.Context) error {
		_, err := mongo.SessionFromContext(ctx).WithTransaction(ctx, func(ctx context.Context) (any, error) {
			for _, db := range []string{"bank_nyc", "bank_lon"} {
				if _, err := client.Database(db).Collection("accounts").InsertOne(ctx, bson.D{{Key: "sum", Value: 1}}); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		return err
	})
	if err != nil {
		t.Errorf("transaction over two shards: %v", err)
	}
	for _, db := range []string{"bank_nyc", "bank_lon"} {
		if n, err := client.Database(db).Collection("accounts").CountDocuments(t.Context(), bson.D{}); err != nil || n != 1 {
			t.Errorf("%s: got %d, %v, want 1", db, n, err)
		}
	}
}

// causal carries the cluster's time from one router to the other.
func causal(t *testing.T, clients ...*mongo.Client) {
	session, err := clients[0].StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(t.Context())
	ctx := mongo.NewSessionContext(t.Context(), session)
	if _, err := clients[0].Database("shop").Collection("notes").InsertOne(ctx, bson.D{{Key: "_id", Value: "causal"}}); err != nil {
		t.Fatal(err)
	}
	for i, client := range clients[1:] {
		next, err := client.StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer next.EndSession(t.Context())
		if err := errors.Join(next.AdvanceClusterTime(session.ClusterTime()), next.AdvanceOperationTime(session.OperationTime())); err != nil {
			t.Fatal(err)
		}
		ctx := mongo.NewSessionContext(t.Context(), next)
		if err := client.Database("shop").Collection("notes").FindOne(ctx, bson.D{{Key: "_id", Value: "causal"}}).Err(); err != nil {
			t.Errorf("read with the time of client 0 at client %d: %v", i+1, err)
		}
	}
}

// secrets looks for the password and the key where they must not be.
func secrets(t *testing.T, c *local.Cluster, status cluster.Status) {
	uri := must(t)(c.SecretURI("NYC"))
	_, password, _ := strings.Cut(strings.Split(uri, "@")[0], local.AdminUser+":")
	key, err := os.ReadFile(filepath.Join(c.Dir(), "secrets", "keyfile"))
	if err != nil || len(password) < 20 {
		t.Fatalf("password of %d characters, %v", len(password), err)
	}
	processes, err := exec.Command("ps", "axeww", "-o", "args").Output() // with the environment
	if err != nil {
		t.Fatal(err)
	}
	if list := string(processes); strings.Contains(list, password) || strings.Contains(list, string(key)) {
		t.Error("the list of processes shows a secret")
	}
	files := 0
	err = filepath.WalkDir(c.Dir(), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // databases come and go
		}
		switch filepath.Base(filepath.Dir(path)) {
		case "secrets", filepath.Base(c.Dir()):
			files++
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: got mode %v, %v, want 0600", path, info.Mode().Perm(), err)
			}
		case "logs":
			files++
			if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), password) || strings.Contains(string(text), string(key)) {
				t.Errorf("%s holds a secret (%v)", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d files and %d processes looked at", files, len(status.Members))
}

// crash kills a shard's primary; the others elect, the client goes on, and the killed one is let in again.
func crash(t *testing.T, c *local.Cluster) {
	client := connect(t, options.Client().ApplyURI(must(t)(c.SecretURI("LON"))))
	if err := client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "enableSharding", Value: "crash"}, {Key: "primaryShard", Value: "nyc"}}).Err(); err != nil {
		t.Fatal(err)
	}
	written := client.Database("crash").Collection("carts", options.Collection().SetWriteConcern(writeconcern.Majority()))
	write := func(n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := written.InsertOne(ctx, bson.D{{Key: "_id", Value: n}}); err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
	}
	write(0)
	if err := c.Kill(t.Context(), "nyc/NYC"); err != nil {
		t.Fatal(err)
	}
	write(1)
	if err := c.Start(t.Context(), "nyc/NYC"); err != nil {
		t.Fatal(err)
	}
	write(2)
	if n, err := written.CountDocuments(t.Context(), bson.D{}); err != nil || n != 3 {
		t.Errorf("got %d, %v, want 3", n, err)
	}
}

// restartedRouter kills a query router: a client's next connection logs in anew.
func restartedRouter(t *testing.T, c *local.Cluster) {
	client := connect(t, options.Client().ApplyURI(must(t)(c.SecretURI("LON"))))
	carts := client.Database("shop").Collection("carts")
	if _, err := carts.CountDocuments(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Kill(t.Context(), "router/LON"), c.Start(t.Context(), "router/LON")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if n, err := carts.CountDocuments(ctx, bson.D{}); err != nil || n != 20 {
		t.Errorf("got %d, %v, want 20", n, err)
	}
}

func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func withoutCA(uri string) string {
	before, _, _ := strings.Cut(uri, "?")
	return before + "?tls=true&authSource=admin"
}
