package catalog_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/catalog"
	"github.com/geoshard/geoshard/zones/plan"
)

// refuse opens what cannot be opened, and looks at the error: its kind, a hint, and no secrets.
func refuse(t *testing.T, o catalog.Options, want error, secrets ...string) {
	t.Helper()
	began := time.Now()
	c, err := catalog.Open(t.Context(), o)
	if err == nil {
		_ = c.Close(context.Background())
		t.Error("it was opened")
		return
	}
	took := time.Since(began)
	var told *catalog.Error
	if want != nil && !errors.Is(err, want) || !errors.As(err, &told) || told.Hint() == "" {
		t.Errorf("got %v, want %v with a hint", err, want)
		return
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error()+told.Hint(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
	if took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	t.Logf("%v (%s)\n    %s", err, took.Round(time.Millisecond), told.Hint())
}

func TestOpenRefusesAMember(t *testing.T) {
	c := clustertest.Alone(t)
	uri, err := c.MemberURI("s0/HERE")
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, catalog.Options{URI: uri}, topology.ErrNoQueryRouter)
	set := strings.Replace(uri, "directConnection=true", "replicaSet=s0", 1)
	refuse(t, catalog.Options{URI: set}, topology.ErrNoQueryRouter)
}

func TestOpenTellsWhatCannotBeReached(t *testing.T) {
	refuse(t, catalog.Options{URI: "mongodb://amy:hunter2@127.0.0.1:1/", Within: 300 * time.Millisecond}, catalog.ErrUnreachable, "hunter2", "amy")
	refuse(t, catalog.Options{URI: "mongodb://amy:hun%zzter@127.0.0.1/"}, nil, "hun%zzter", "amy")
	refuse(t, catalog.Options{URI: "amy:hunter2"}, nil, "hunter2", "amy")
	refuse(t, catalog.Options{}, nil)
	// A server that accepts and says nothing: time out, do not hang.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	refuse(t, catalog.Options{URI: "mongodb://" + listener.Addr().String(), Within: 500 * time.Millisecond}, catalog.ErrUnreachable)
	// TLS to one that does not speak it.
	uri, err := clustertest.Alone(t).URI(clustertest.SmallDC)
	if err != nil {
		t.Fatal(err)
	}
	refuse(t, catalog.Options{URI: uri, Client: options.Client().SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}), Within: time.Second}, catalog.ErrUnreachable)
}

// secured starts the least cluster that is sharded, with passwords and certificates.
func secured(t *testing.T) (c *local.Cluster, uri string) {
	t.Helper()
	world, err := topology.Parse("secured.yaml", []byte("version: 1\ndatacenters: {HERE: {name: Here}}\nshards: {s0: {members: [{dc: HERE, priority: 1}]}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c = clustertest.Own(t, local.Options{Name: "secured", Topology: world, WANScale: -1, Auth: true, TLS: true})
	if uri, err = c.SecretURI("HERE"); err != nil {
		t.Fatal(err)
	}
	return c, uri
}

// edit changes a connection string.
func edit(t *testing.T, uri string, change func(*url.URL, url.Values)) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	change(u, query)
	u.RawQuery = query.Encode()
	return u.String()
}

func TestPasswordsAndCertificates(t *testing.T) {
	t.Parallel()
	secure, uri := secured(t)
	c, err := catalog.Open(t.Context(), catalog.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	perform(t, c, zones.AddShardToZone{Shard: "s0", Zone: "Z"})
	state, err := c.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := state.Shards[0]; s.Unseen != "" || len(s.Members) != 1 || !slices.Equal(s.Zones, []topology.ZoneID{"Z"}) {
		t.Errorf("got %+v", s)
	}
	if config := state.ConfigServers; config == nil || len(config.Members) != 1 || !config.Members[0].Primary {
		t.Errorf("config servers: got %+v, want the one", config)
	}
	p, err := c.Privileges(t.Context())
	if err != nil || !slices.Equal(p.Users, []string{"admin@admin"}) {
		t.Errorf("privileges: got %+v, %v", p, err)
	}

	// A user of the cluster is none of its shards': that is no reason not to read the rest.
	if err := c.Client().Database("admin").RunCommand(t.Context(), bson.D{{Key: "createUser", Value: "amy"}, {Key: "pwd", Value: "sesame"}, {Key: "roles", Value: bson.A{"root"}}}).Err(); err != nil {
		t.Fatal(err)
	}
	amy, err := catalog.Open(t.Context(), catalog.Options{URI: edit(t, uri, func(u *url.URL, _ url.Values) { u.User = url.UserPassword("amy", "sesame") })})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := amy.Read(t.Context(), nil); err != nil || state.Shards[0].Members != nil || !strings.Contains(state.Shards[0].Unseen, "do not know the user") || strings.Contains(state.Shards[0].Unseen, "sesame") {
		t.Errorf("a shard that does not know the user: got %+v, %v", state, err)
	} else {
		t.Logf("unseen: %s", state.Shards[0].Unseen)
	}
	_ = amy.Close(context.Background())

	const within = 2 * time.Second
	wrong := edit(t, uri, func(u *url.URL, _ url.Values) { u.User = url.UserPassword("admin", "hunter2") })
	refuse(t, catalog.Options{URI: wrong, Within: within}, catalog.ErrLogin, "hunter2")
	stranger := edit(t, uri, func(u *url.URL, q url.Values) { u.User = nil; q.Del("authSource") })
	open, err := catalog.Open(t.Context(), catalog.Options{URI: stranger, Within: within})
	if err != nil {
		t.Fatal(err)
	}
	_, err = open.Read(t.Context(), nil)
	_ = open.Close(t.Context())
	var told *catalog.Error
	if !errors.Is(err, catalog.ErrNotAllowed) || !errors.As(err, &told) || !strings.Contains(told.Hint(), "find on config.version") {
		t.Errorf("without a login: got %v, want ErrNotAllowed and a hint that names the privilege", err)
	} else {
		t.Logf("%v\n    %s", err, told.Hint())
	}
	unknownCA := edit(t, uri, func(_ *url.URL, q url.Values) { q.Del("tlsCAFile") })
	refuse(t, catalog.Options{URI: unknownCA, Within: within}, catalog.ErrUnreachable)
	plain := edit(t, uri, func(_ *url.URL, q url.Values) { q.Del("tlsCAFile"); q.Del("tls") })
	refuse(t, catalog.Options{URI: plain, Within: within}, catalog.ErrUnreachable)

	enforced(t, c, secure)

	// The same by options: nothing but the host in the URI.
	withOptions := options.Client().ApplyURI(uri)
	bare := edit(t, uri, func(u *url.URL, q url.Values) { u.User = nil; clear(q) })
	c2, err := catalog.Open(t.Context(), catalog.Options{URI: bare, Client: options.Client().SetAuth(*withOptions.Auth).SetTLSConfig(withOptions.TLSConfig)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c2.Client().Database("admin").RunCommand(t.Context(), bson.D{{Key: "listShards", Value: 1}}).Err(); err != nil {
		t.Error(err)
	}
	if state, err := c2.Read(t.Context(), nil); err != nil || state.Shards[0].Unseen != "" {
		t.Errorf("read: got %+v, %v", state, err)
	}
	_ = c2.Close(context.Background())
}

// enforced reads the catalogue with the read-only role and no more: through the query router, and
// on the config server, which is asked what each privilege is for.
func enforced(t *testing.T, c *catalog.Catalog, secure *local.Cluster) {
	t.Helper()
	role := plan.PlanRole([]string{"shop.carts"})
	admin := c.Client().Database("admin")
	for _, cmd := range []bson.D{role.CreateRole(), {{Key: "createUser", Value: "planner"}, {Key: "pwd", Value: "sesame"}, {Key: "roles", Value: bson.A{role.Name}}}} {
		if err := admin.RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatal(err)
		}
	}
	byPlanner := func(uri string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return edit(t, uri, func(u *url.URL, _ url.Values) { u.User = url.UserPassword("planner", "sesame") })
	}
	routed, err := catalog.Open(t.Context(), catalog.Options{URI: byPlanner(secure.SecretURI("HERE"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = routed.Close(context.Background()) })
	if state, err := routed.Read(t.Context(), nil); err != nil || len(state.Shards) != 1 || !state.Balancer.Running {
		t.Errorf("read through the router with the read-only role: got %+v, %v", state, err)
	}
	for _, change := range []zones.Change{zones.HoldBalancing{Collection: "shop.carts"}, zones.AddShardToZone{Shard: "s0", Zone: "Z2"}} {
		if err := routed.Perform(t.Context(), change); !errors.Is(err, catalog.ErrNotAllowed) {
			t.Errorf("%s through the router with the read-only role: got %v, want ErrNotAllowed", change, err)
		}
	}
	uri := byPlanner(secure.SecretMemberURI("config/HERE"))
	planner := catalog.Unchecked(connect(t, uri), uri)
	p, err := planner.Privileges(t.Context())
	if err != nil || !p.Enforced || !slices.Equal(p.Users, []string{"planner@admin"}) {
		t.Fatalf("privileges: got %+v, %v", p, err)
	}
	if missing := p.Missing(role.Privileges); missing != nil {
		t.Errorf("the role's own privileges are missing: %v", missing)
	}
	missing := p.Missing(plan.ApplyRole([]string{"shop.carts"}).Privileges)
	if !slices.Contains(missing, "enableSharding on the cluster") || !slices.Contains(missing, "collMod on shop.carts") {
		t.Errorf("missing for an apply: got %v", missing)
	}
	// A shard does not know the cluster's users: no reason to fail.
	state, err := planner.Read(t.Context(), nil)
	if err != nil {
		t.Fatalf("read with the read-only role: %v", err)
	}
	if len(state.Shards) != 1 || state.Shards[0].Unseen == "" || !state.Balancer.Running {
		t.Errorf("got %+v", state)
	}
	readsByRole(t, planner.Client(), admin, role)
	// What it must not do, it is told in clear words.
	err = planner.Perform(t.Context(), zones.HoldBalancing{Collection: "shop.carts"})
	var told *catalog.Error
	if !errors.Is(err, catalog.ErrNotAllowed) || !errors.As(err, &told) || !strings.Contains(told.Hint(), "update on config.collections") {
		t.Errorf("a change with the read-only role: got %v", err)
	}
	t.Logf("missing for an apply: %s\n%v\n    %s", strings.Join(missing, "; "), err, told.Hint())
}

// readsByRole takes one action after the other out of the role: what needs it is refused then, and allowed again when it is back. Commands that a mongod does not have are
// not among them: listShards and $shardedDataDistribution.
func readsByRole(t *testing.T, planner *mongo.Client, admin *mongo.Database, role plan.Role) {
	t.Helper()
	find := func(db, collection string) (string, bson.D) { return db, bson.D{{Key: "find", Value: collection}} }
	tried := 0
	for _, p := range role.Privileges {
		for _, action := range p.Actions {
			db, cmd := find(p.Resource.DB, p.Resource.Collection)
			switch action {
			case "find":
				if p.Resource.Collection == "" {
					_, cmd = find(db, "journal")
				}
			case "listCollections":
				cmd = bson.D{{Key: action, Value: 1}}
			case "listIndexes":
				cmd = bson.D{{Key: action, Value: p.Resource.Collection}}
			case "collStats":
				cmd = bson.D{{Key: action, Value: p.Resource.Collection}}
			case "serverStatus", "replSetGetConfig":
				db, cmd = "admin", bson.D{{Key: action, Value: 1}}
			default:
				continue
			}
			refused := func() bool {
				err := planner.Database(db).RunCommand(t.Context(), cmd).Err()
				var answer mongo.ServerError
				return errors.As(err, &answer) && answer.HasErrorCode(13)
			}
			one := plan.Role{Name: role.Name, Privileges: []plan.Privilege{{Resource: p.Resource, Actions: []string{action}}}}.CreateRole()[1]
			change := func(command string) {
				if err := admin.RunCommand(t.Context(), bson.D{{Key: command, Value: role.Name}, one}).Err(); err != nil {
					t.Fatalf("%s %s on %s: %v", command, action, p.Resource, err)
				}
			}
			if refused() {
				t.Errorf("%s on %s: %v is refused with it", action, p.Resource, cmd)
			}
			change("revokePrivilegesFromRole")
			// A collection that nobody may read at all is not found, rather than refused, by some commands: it has to be refused.
			testkit.Eventually(t, time.Minute, action+" on "+p.Resource.String()+" is refused without it", refused)
			change("grantPrivilegesToRole")
			testkit.Eventually(t, time.Minute, action+" on "+p.Resource.String()+" is allowed with it", func() bool { return !refused() })
			tried++
		}
	}
	t.Logf("%d actions of %s taken away and given back", tried, role.Name)
	if tried < 15 {
		t.Error("that is fewer than the role has")
	}
}
