package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/signing"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/plan"
	"github.com/geoshard/geoshard/zones/rehome"
)

// growWithin bounds the growth of a cluster on a machine that is busy with other tests.
const growWithin = 5 * time.Minute

// A cluster in New York and London, where Sydney's carts are at home in London's zone, gets a datacenter in Sydney: members of the shards that there are, a shard, a query router;
// then a zone, to which Sydney's range moves. All shoppers go on meanwhile, Sydney's too.
func aDatacenterAndAShardAreAdded(t *testing.T, s *openedShop) {
	s.shops["SYD"] = s.connect(t, "SYD", "LON") // the nearest there is
	m := s.shop(t, append(s.everywhere(), [2]topology.DatacenterID{"SYD", "SYD"})...)
	m.goOn(t, m.all()...)
	s.prove(t, s.Topology())
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), growWithin)
	defer cancel()
	if err := s.Grow(ctx); err != nil {
		t.Fatalf("grow: %v%s", err, clustertest.Hint(err))
	}
	t.Logf("a datacenter with its members, a shard and a query router were added in %s", time.Since(began).Round(100*time.Millisecond))
	m.goOn(t, m.all()...)
	clustertest.AwaitWhole(t, s)
	s.apply(t, s.Topology())
	s.setUp(t)
	m.goOn(t, m.all()...)
	s.shops["SYD"] = s.connect(t, "SYD", "SYD")
	atHome := s.shop(t, [2]topology.DatacenterID{"SYD", "SYD"})
	atHome.goOn(t, "SYD>SYD")
	m.count(t, s.shops["SYD"])
	atHome.count(t, s.shops["NYC"])
	s.prove(t, s.Topology())
	if err := s.Grow(ctx); err != nil {
		t.Errorf("grow what is grown: %v", err)
	}
}

// Each datacenter's documents are on its shard, and nothing is left to plan.
func documentsAreInTheirZones(t *testing.T, s *openedShop) {
	m := s.shop(t, s.everywhere()...)
	m.goOn(t, m.all()...)
	m.count(t, s.shops["LON"])
	plan, err := s.catalog(t).Plan(t.Context(), s.Topology(), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Empty() {
		t.Errorf("got %v, want nothing to do", plan.Steps)
	}
	s.prove(t, s.Topology())
}

// Sydney's copy of New York's shard is behind. Without a token the traveller does not find there what he has written in New York; with it, he does.
func aTokenMakesATravellerReadHisOwnWrites(t *testing.T, s *openedShop) {
	session := profile(t, "session")
	key, err := signing.NewKey("k", bytes.Repeat([]byte("scenario"), 4))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := signing.NewKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	home, away := s.shops["NYC"], s.shops["SYD"]
	made, _, err := home.Create(t.Context(), session, ulid.Make().String(), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	journey := func(n int) (stale bool) {
		t.Helper()
		token := writeAt(t, home, session, made.Handle, keys)
		without, err := away.Cart(t.Context(), session, made.Handle)
		if err != nil && !errors.Is(err, cart.ErrNotFound) { // the cart itself may not be there yet
			t.Fatal(err)
		}
		if got := readWith(t, away, session, made.Handle, keys, token); got != n {
			t.Errorf("journey %d, with token: got %d things, want %d", n, got, n)
		}
		return without.Count() < n
	}
	// The first journey is before the lag: a copy that has never read the carts asks the primary which of them are its own, and has to wait until it has copied the answer.
	journey(1)
	if err := s.SetLag(t.Context(), "nyc/SYD", behind); err != nil {
		t.Fatal(err)
	}
	// A router asks another copy for a while when it had trouble with this one.
	n := 1
	testkit.Eventually(t, testkit.Patience, "Sydney's copy answers in Sydney, and is behind", func() bool { n++; return journey(n) })
	stale, journeys := 0, testkit.Count(t, "journeys", 5, 50)
	for range journeys {
		n++
		if journey(n) {
			stale++
		}
	}
	t.Logf("%d journeys, after %d for Sydney's copy to answer: without token %d did not see the traveller's write", journeys, n-1-journeys, stale)
	if stale == 0 {
		t.Error("without token everything was seen: the check could not fail")
	}
	if err := s.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	clustertest.AwaitWhole(t, s)
}

// behind is how far Sydney's copy is held behind: longer than a write and a read take on a busy machine.
const behind = 4 * time.Second

// writeAt puts one thing into the cart and returns the sealed token of that.
func writeAt(t *testing.T, shop *store.Store, p consistency.Profile, h cart.Handle, keys *signing.Keyring) string {
	t.Helper()
	var sealed string
	inSession(t, shop, p, func(ctx context.Context, session *mongo.Session) error {
		_, _, err := shop.Change(ctx, p, h, cart.Request{
			Key: ulid.Make().String(), At: time.Now(), Change: cart.AddItem{SKU: "mug", Quantity: 1, Price: 900, Currency: "USD"},
		})
		if err != nil {
			return err
		}
		token, err := consistency.TokenOf(session, shop.DataCenter(), time.Now())
		if err != nil {
			return err
		}
		sealed, err = token.Seal(keys)
		return err
	})
	return sealed
}

// readWith reads the cart with a token, and returns how many things it holds.
func readWith(t *testing.T, shop *store.Store, p consistency.Profile, h cart.Handle, keys *signing.Keyring, sealed string) (things int) {
	t.Helper()
	inSession(t, shop, p, func(ctx context.Context, session *mongo.Session) error {
		token, err := consistency.OpenToken(keys, sealed, time.Now(), consistency.Limits{})
		if err != nil {
			return err
		}
		if err := token.Advance(session); err != nil {
			return err
		}
		return consistency.Within(ctx, testkit.Patience, func(ctx context.Context) error {
			c, err := shop.Cart(ctx, p, h)
			things = c.Count()
			return err
		})
	})
	return things
}

func inSession(t *testing.T, shop *store.Store, p consistency.Profile, do func(context.Context, *mongo.Session) error) {
	t.Helper()
	session, err := shop.Client().StartSession(p.SessionOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(context.WithoutCancel(t.Context()))
	if err := do(mongo.NewSessionContext(t.Context(), session), session); err != nil {
		t.Fatal(err)
	}
}

// The primary of one datacenter's shard is killed. Its shoppers wait for an election, the others for nothing, and nobody loses anything.
func aPrimaryDies(t *testing.T, s *openedShop) {
	for range testkit.Count(t, "primaries that die", 1, 10) {
		m := s.shop(t, s.everywhere()...)
		m.goOn(t, "LON>LON")
		if err := s.Kill(t.Context(), "lon/LON"); err != nil {
			t.Fatal(err)
		}
		clustertest.AwaitPrimary(t, s, "lon", "lon/LON")
		m.goOn(t, m.all()...)
		if err := s.Start(t.Context(), "lon/LON"); err != nil {
			t.Fatal(err)
		}
		clustertest.AwaitWhole(t, s)
		m.goOn(t, "LON>LON")
		m.count(t, s.shops["NYC"])
	}
}

// Sydney is cut off. The others go on, also with what is at home in Sydney; when the links are healed, Sydney has everything.
func aDatacenterIsCutOff(t *testing.T, s *openedShop) {
	for range testkit.Count(t, "times that a datacenter is cut off", 1, 5) {
		m := s.shop(t, [2]topology.DatacenterID{"NYC", "NYC"}, [2]topology.DatacenterID{"LON", "LON"})
		m.goOn(t, "NYC>NYC")
		abroad := s.shop(t, [2]topology.DatacenterID{"NYC", "SYD"}) // has a cart in Sydney already
		abroad.goOn(t, "NYC>SYD")
		if err := cluster.Isolate(t.Context(), s, "SYD"); err != nil {
			t.Fatal(err)
		}
		clustertest.AwaitPrimary(t, s, "syd", "syd/SYD")
		m.goOn(t, m.all()...)
		abroad.goOn(t, "NYC>SYD")
		if err := s.Heal(t.Context()); err != nil {
			t.Fatal(err)
		}
		clustertest.AwaitWhole(t, s)
		m.count(t, s.shops["SYD"])
		abroad.count(t, s.shops["SYD"])
	}
}

// A traveller settles in Sydney: his cart gets its home there, with all that is in it, while others shop.
func aTravellersCartMovesHome(t *testing.T, s *openedShop) {
	m := s.shop(t, s.everywhere()...)
	durable := profile(t, "durable")
	home, away := s.shops["NYC"], s.shops["SYD"]
	made, _, err := home.Create(t.Context(), durable, ulid.Make().String(), "", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	add := func(shop *store.Store, h cart.Handle) cart.Cart {
		t.Helper()
		c, _, err := shop.Change(t.Context(), durable, h, cart.Request{
			Key: ulid.Make().String(), At: time.Now(), Change: cart.AddItem{SKU: "mug", Quantity: 1, Price: 900, Currency: "USD"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	add(home, made.Handle)
	add(away, made.Handle) // from Sydney to New York, and back
	done, err := rehome.Rehome(t.Context(), away.Client(), s.Topology(), rehome.Options{
		Namespace: "shop.carts", Filter: bson.D{{Key: "cartId", Value: made.CartID}}, To: topology.StringOf("SYD"),
	})
	if err != nil {
		t.Fatal(err)
	}
	moved := made.Handle
	moved.DataCenter = "SYD"
	if got := add(away, moved).Count(); got != 3 {
		t.Errorf("after %+v: got %d things, want 3", done.Namespaces, got)
	}
	if c, err := home.Cart(t.Context(), durable, made.Handle); !errors.Is(err, cart.ErrNotFound) {
		t.Errorf("the old home: got %+v, %v, want ErrNotFound", c, err)
	}
	m.goOn(t, m.all()...)
	m.count(t, home)
	s.prove(t, s.Topology())
}

// London's range is given to New York's zone, and back: the documents move while London's shoppers write to them.
func aRangeMovesToAnotherZone(t *testing.T, s *openedShop) {
	m := s.shop(t, s.everywhere()...)
	m.goOn(t, "LON>LON")
	moved := preset(t)
	moved.Namespaces[0].Ranges = []topology.Range{{Zone: "NYC", Values: []topology.Value{topology.StringOf("LON")}}}
	for _, world := range []*topology.Topology{moved, s.Topology()}[:testkit.Count(t, "moves of London's range", 1, 2)] {
		s.apply(t, world)
		m.goOn(t, "LON>LON")
		s.prove(t, world)
	}
	m.count(t, s.shops["SYD"])
}
