package store_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cart/inventory"
	"github.com/geoshard/geoshard/cart/shipping"
	"github.com/geoshard/geoshard/cart/store"
	"github.com/geoshard/geoshard/internal/testkit"
)

const (
	instanceURI = "GEOSHARD_TEST_INSTANCE_URI"
	killsDB     = "cartstore_kills"
)

// TestInstance is the service as a process of its own, for the test that kills it.
func TestInstance(t *testing.T) {
	uri := os.Getenv(instanceURI)
	if uri == "" {
		return // it is a process of TestAnInstanceThatIsKilledMarksEachCartOnce
	}
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	i := instance(t, at(t, c, killsDB, "dataCenter", "LON"), 50*time.Millisecond)
	i.Every = 5 * time.Millisecond
	fmt.Println("ready")
	i.Run(t.Context()) // until it is killed
}

func instance(t testing.TB, s *store.Store, grace time.Duration) *inventory.Instance {
	return &inventory.Instance{Shop: s, Read: durable(t), Write: durable(t), Grace: grace}
}

func publish(t testing.TB, s *store.Store, sku string) cart.Notice {
	t.Helper()
	n, outcome, err := s.Publish(t.Context(), durable(t), cart.Notice{Key: key(), SKU: sku, Until: now().Add(time.Hour), Written: now()})
	if err != nil || outcome != cart.Applied {
		t.Fatalf("publish: got %v, %v", outcome, err)
	}
	return n
}

// settle runs an instance until nothing is left to do.
func settle(t testing.TB, i *inventory.Instance) (marked int64) {
	t.Helper()
	open := true
	i.Listen = func(e inventory.Event) { marked += e.Marked; open = open || !e.Settled }
	for open {
		open = false
		if err := i.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return marked
}

func TestAnInstanceThatIsKilledMarksEachCartOnce(t *testing.T) {
	s := shop(t, killsDB, "dataCenter")
	uri := sharedURI(t)
	n, kills, products := testkit.Count(t, "carts", 900, 20_000), testkit.Count(t, "kills", 6, 60), []string{"book", "console", "flashlight"}
	handles := fill(t, s, n, products)
	var published []cart.Notice
	random := rand.New(rand.NewPCG(testkit.Seed(t), 1))
	halfway := 0
	for i := range kills {
		var until func() bool
		if i%2 == 0 { // as soon as the first carts are marked; every second time at any moment
			published = append(published, publish(t, s, products[i/2%len(products)]))
			until = func() bool { return markedBy(t, s, published[len(published)-1]) > 0 }
		}
		killed(t, uri, time.Duration(random.IntN(120))*time.Millisecond, until)
		if done := markedBy(t, s, published[len(published)-1]); done > 0 && done < int64(n) {
			halfway++
		}
	}
	left := settle(t, instance(t, s, time.Millisecond))
	stored, err := s.Carts(t.Context(), durable(t), "LON", "", "", n+1)
	if err != nil || len(stored) != n {
		t.Fatalf("got %d carts, %v, want %d", len(stored), err, n)
	}
	byHandle := map[cart.Handle]cart.Cart{}
	for _, c := range stored {
		byHandle[c.Handle] = c
	}
	for _, h := range handles {
		c := byHandle[h]
		marks := 0
		for _, item := range c.Items {
			want := 0
			for _, notice := range published {
				if notice.SKU == item.SKU {
					want++
				}
			}
			if len(item.Delays) != want {
				t.Fatalf("%s: %s has %d marks, want %d", h, item.SKU, len(item.Delays), want)
			}
			marks += want
		}
		if c.Version != int64(1+marks) {
			t.Fatalf("%s: got version %d after %d marks, want each mark to be one change", h, c.Version, marks)
		}
	}
	t.Logf("%d carts, %d notices, %d kills, %d of them half-way through the carts; %d marks were left to the last instance",
		n, len(published), kills, halfway, left)
	if halfway == 0 {
		t.Error("no instance was killed half-way: nothing is shown")
	}
}

// markedBy counts the carts that a notice has marked.
func markedBy(t *testing.T, s *store.Store, n cart.Notice) int64 {
	t.Helper()
	count, err := s.Client().Database(killsDB).Collection("carts").CountDocuments(t.Context(), bson.D{{Key: "dataCenter", Value: "LON"}, {Key: "items.delays.notice", Value: n.ID}})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// killed runs an instance and kills it some time after it has begun, or as soon as a condition holds.
func killed(t *testing.T, uri string, after time.Duration, until func() bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInstance$", "-test.v")
	cmd.Env = append(os.Environ(), instanceURI+"="+uri)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "ready") {
	}
	if until == nil {
		testkit.Pause(t.Context(), after)
	} else {
		testkit.Eventually(t, testkit.Patience, "the instance is at work", until)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("the instance had ended by itself: %v", err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	_ = cmd.Wait() // killed
}

// fill makes many carts with one of each product, past the API of the shop.
func fill(t testing.TB, s *store.Store, n int, products []string) []cart.Handle {
	t.Helper()
	handles := make([]cart.Handle, n)
	docs := make([]any, n)
	for i := range docs {
		h, err := cart.HandleFor("LON", key())
		if err != nil {
			t.Fatal(err)
		}
		var items []cart.Item
		for _, sku := range products {
			items = append(items, cart.Item{SKU: sku, Quantity: 1, Price: 100, Currency: "GBP"})
		}
		handles[i] = h
		docs[i] = bson.D{{Key: "_id", Value: h.String()}, {Key: "dataCenter", Value: "LON"}, {Key: "cartId", Value: h.ID.String()}, {Key: "items", Value: items},
			{Key: "status", Value: cart.Open}, {Key: "version", Value: int64(1)}, {Key: "created", Value: now()}, {Key: "updated", Value: now()}, {Key: "done", Value: bson.A{}}}
	}
	if _, err := s.Client().Database(killsDB).Collection("carts").InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	return handles
}

// S2.26: a notice reaches all instances, and each marks the carts of its own datacenter alone.
func TestEachInstanceMarksItsOwnCarts(t *testing.T) {
	lon := shop(t, "cartstore_instances", "dataCenter")
	syd := at(t, client(t), "cartstore_instances", "dataCenter", "SYD")
	ours := change(t, lon, create(t, lon).Handle, book(1)).Handle
	theirs := change(t, syd, create(t, syd).Handle, book(1)).Handle
	n := publish(t, lon, "book")
	marks := func(h cart.Handle) int {
		c, err := lon.Cart(t.Context(), durable(t), h)
		if err != nil {
			t.Fatal(err)
		}
		return len(c.Items[0].Delays)
	}
	if got := settle(t, instance(t, lon, time.Millisecond)); got != 1 || marks(ours) != 1 || marks(theirs) != 0 {
		t.Errorf("LON marked %d: ours %d, theirs %d", got, marks(ours), marks(theirs))
	}
	if got := settle(t, instance(t, syd, time.Millisecond)); got != 1 || marks(ours) != 1 || marks(theirs) != 1 {
		t.Errorf("SYD marked %d: ours %d, theirs %d", got, marks(ours), marks(theirs))
	}
	again, outcome, err := lon.Publish(t.Context(), durable(t), cart.Notice{Key: n.Key, SKU: n.SKU, Until: n.Until, Written: now()})
	if err != nil || outcome != cart.Replayed || again.ID != n.ID {
		t.Errorf("the notice sent again: got %+v, %v, %v", again, outcome, err)
	}
}

// A product that gets into a cart after the first look is found by a later one.
func TestALateItemIsMarkedWithinTheGrace(t *testing.T) {
	s := shop(t, "cartstore_late", "dataCenter")
	clock := now()
	i := instance(t, s, time.Minute)
	i.Now = func() time.Time { return clock }
	publish(t, s, "book")
	if err := i.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := change(t, s, create(t, s).Handle, book(1)).Handle
	clock = clock.Add(2 * time.Minute)
	if err := i.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := s.Cart(t.Context(), durable(t), late)
	if err != nil || len(c.Items[0].Delays) != 1 {
		t.Errorf("got %+v, %v, want one mark", c.Items, err)
	}
	if position, err := s.Position(t.Context(), durable(t), "LON"); err != nil || position != 1 {
		t.Errorf("got position %d, %v, want 1", position, err)
	}
}

// S2.28: the race of S2.12 on one primary. A flashlight goes into the cart while the console is invalidated; the shipping process runs as well.
// Nothing is lost, and what is shipped is what is ordered (S2.13).
func TestTheRaceOfTheFlashlightLosesNothing(t *testing.T) {
	s := shop(t, "cartstore_race", "dataCenter")
	for _, sku := range []string{"book", "console", "flashlight"} {
		stocked(t, s, sku, 100_000)
	}
	runs := testkit.Count(t, "runs", 30, 1000)
	console := cart.AddItem{SKU: "console", Quantity: 1, Price: 29_900, Currency: "GBP"}
	flashlight := cart.AddItem{SKU: "flashlight", Quantity: 1, Price: 999, Currency: "GBP"}
	pricing := shipping.Process{Carts: s, Profile: durable(t)}
	for run := range runs {
		h := create(t, s).Handle
		change(t, s, h, book(1))
		change(t, s, h, console)
		n := cart.Notice{ID: fmt.Sprintf("LON.%d", run), DataCenter: "LON", SKU: "console", Until: now().Add(time.Hour)}
		done := make(chan error, 3)
		go func() {
			_, _, err := s.Change(t.Context(), durable(t), h, cart.Request{Key: key(), At: now(), Change: flashlight})
			done <- err
		}()
		go func() {
			_, err := s.Mark(t.Context(), durable(t), n, now())
			done <- err
		}()
		go func() { done <- pricing.Once(t.Context()).Err }()
		for range 3 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		for round := pricing.Once(t.Context()); round.Priced > 0; round = pricing.Once(t.Context()) {
			if round.Err != nil {
				t.Fatal(round.Err)
			}
		}
		c, err := s.Cart(t.Context(), durable(t), h)
		if err != nil {
			t.Fatal(err)
		}
		var active []string
		for _, item := range c.Active() {
			active = append(active, item.SKU)
		}
		if strings.Join(active, " ") != "book flashlight" || c.Shipping == nil || c.Shipping.Items != 2 || c.Shipping.Version != c.Version {
			t.Fatalf("run %d: got %v, shipping %+v at version %d, want book and flashlight, and shipping of two", run, active, c.Shipping, c.Version)
		}
		order, _, err := checkout(t, s, h, c.Version, key())
		if err != nil || order.Shipping != *c.Shipping || len(order.Items) != 2 || len(order.LeftOut) != 1 {
			t.Fatalf("run %d: got %+v, %v", run, order, err)
		}
	}
	t.Logf("%d runs", runs)
}

var (
	_ inventory.Shop = (*store.Store)(nil)
	_ shipping.Carts = (*store.Store)(nil)
)
