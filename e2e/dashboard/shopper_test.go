package dashboard_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/internal/testkit"
)

// shopper lets somebody in a city take a cart, and returns the number of the shopper.
func (p *page) shopper(city string) string {
	p.t.Helper()
	before := p.count("#people button")
	p.choose("#city", city)
	p.press("#new-shopper")
	p.await("one more shopper, who is shown", fmt.Sprintf(`document.querySelectorAll("#people button").length === %d && document.querySelector("#people [aria-pressed=true]")?.textContent.includes(%q)`, before+1, city))
	id := eval[string](p, `document.querySelector("#people [aria-pressed=true]").dataset.id`)
	p.drawn(id)
	return id
}

// drawn waits for the shopper's own part of the page, which is drawn after the buttons: until then it is that of the one before.
func (p *page) drawn(id string) {
	p.t.Helper()
	p.await("shopper "+id, fmt.Sprintf(`document.querySelector("#shopper [data-key='shopper-%s']")`, id))
}

// The answer to a press and the event that tells all pages of it come by two connections, in either order.
func TestAShopperIsShownWhoseAnswerOvertakesTheEvent(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.shopper("Berlin")
	late := `(async () => {
		const { state, changed } = await import("./state.js");
		const drawn = () => { changed("shoppers"); return new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))); };
		const [last] = state.shoppers.slice(-1);
		const next = { ...last, id: last.id + 100, name: "Late" };
		state.chosen = next.id; // as the answer does
		await drawn();
		while (!state.shoppers.includes(next)) { // the server's own events have the list without it
			state.shoppers = [...state.shoppers, next]; // as the event does
			await drawn();
		}
		return document.querySelector("#people [aria-pressed=true]").textContent;
	})()`
	shown, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](late, chromedp.EvalAwaitPromise))
	if err != nil || !strings.Contains(shown, "Late") {
		t.Errorf("shown is %q, %v, want the shopper of the answer", shown, err)
	}
}

func (p *page) add(sku string) {
	p.t.Helper()
	version := p.version()
	p.choose("#sku", sku)
	p.press(`form[data-act="item"] button`)
	p.await(sku+" in another version of the cart", fmt.Sprintf(`Number(document.querySelector("#cart-version").textContent) > %d && document.querySelector("#shopper [data-sku=%s]")`, version, sku))
}

func (p *page) version() int {
	p.t.Helper()
	n, err := strconv.Atoi(p.text("#cart-version"))
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func TestAShopperShopsTravelsAndReadsHisWrites(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	id := p.shopper("San Francisco")
	if got := p.text("#cart-home"); got != "cart at home in NYC" {
		t.Errorf("a cart of San Francisco: %q, want it at home in NYC", got)
	}
	p.add("book")
	p.await("the book in the cart", `document.querySelector("[data-sku=book]")`)
	p.choose("#to", "Tokyo")
	p.press(`form[data-act="travel"] button`)
	p.await("Sydney's gateway", `document.querySelector("#shopper .where").textContent.includes("gateway SYD")`)
	p.await("his own write, read in Sydney", fmt.Sprintf(`document.querySelector("#verdict[data-stale=false]")?.textContent.startsWith("SYD answered with version %d")`, p.version()))
	p.add("mug") // written from Sydney, at home in New York
	p.await("the way of that write", `[...document.querySelectorAll("#requests tr[data-kind=write]")].some((r) => r.dataset.who !== "traffic" && r.querySelector(".way").textContent === "SYD→NYC")`)
	p.press(`[data-act="read"][data-token="yes"]`)
	p.await("the token's parts", `document.querySelector("#token-operation") && document.querySelector("#token-home").textContent === "SYD"`)
	p.do(chromedp.Click(chromedp.CSS("#shopper summary"))) // what was closed stays closed, whatever is drawn anew
	p.press(`[data-act="read"][data-token="no"]`)
	p.await("the next read", `document.querySelector("#verdict").textContent.includes("without the token")`)
	if eval[bool](p, `document.querySelector("#shopper details").open`) {
		t.Error("the token was closed and is open again")
	}

	var found cart.Cart
	filter := bson.D{{Key: "dataCenter", Value: "NYC"}, {Key: "customer", Value: eval[string](p, `document.querySelector("#shopper [data-shopper]").dataset.shopper`)}}
	if err := s.database(t).Database("shop").Collection("carts").FindOne(t.Context(), filter).Decode(&found); err != nil {
		t.Fatalf("the cart of shopper %s in the database: %v", id, err)
	}
	if len(found.Items) != 2 || found.Version < 3 {
		t.Errorf("the database has %v of version %d, want a book and a mug", found.Items, found.Version)
	}
}

func TestTheDelayedConsoleIsMarkedInEveryDatacenterOnce(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	var ids []string
	for _, city := range []string{"New York", "London", "Sydney"} {
		ids = append(ids, p.shopper(city))
		p.add("console")
	}
	p.press(`[data-act="delay"]`)
	for _, id := range ids {
		p.press(`[data-act="choose"][data-id="` + id + `"]`)
		p.drawn(id)
		p.await("the mark on the console of shopper "+id, `document.querySelector("#shopper [data-sku=console] .badge.gone")`)
	}
	cursor, err := s.database(t).Database("shop").Collection("carts").Find(t.Context(), bson.D{{Key: "items.sku", Value: "console"}, {Key: "customer", Value: bson.D{{Key: "$exists", Value: true}}}})
	var found []cart.Cart
	if err == nil {
		err = cursor.All(t.Context(), &found)
	}
	if err != nil || len(found) != len(ids) {
		t.Fatalf("got %d carts with a console, %v; want %d", len(found), err, len(ids))
	}
	for _, c := range found {
		if n := len(c.Items[0].Delays); n != 1 {
			t.Errorf("the cart of %s is marked %d times, want once", c.Customer, n)
		}
	}
	p.await("the log", `document.querySelector("#log").textContent.includes("SYD: the inventory service marked the console")`)
	// Another one cannot be had now, and the page says so.
	p.choose("#sku", "console")
	p.press(`form[data-act="item"] button`)
	p.await("the refusal", `!document.querySelector("#note").hidden && document.querySelector("#note").textContent.includes("delayed")`)
	p.press(`[data-act="dismiss"]`)
	p.await("no note", `document.querySelector("#note").hidden`)
	if said := p.complaints(); len(said) != 1 { // Chromium tells of the answer's status by itself
		t.Errorf("got %q, want the console to tell of one answer", said)
	}
}

// A copy that is held behind answers with what was, and the token is what mends it.
func TestALaggingCopyIsStaleWithoutTheTokenAndWaitsWithIt(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.shopper("Sydney")
	p.add("lamp") // at home in SYD
	p.choose("#to", "London")
	p.press(`form[data-act="travel"] button`)
	p.choose("#lag-member", "syd/LON")
	p.choose("#lag-by", "15s") // longer than any machine takes for what follows
	p.press("#add-lag")
	p.await("the lag in the table", `document.querySelector("[data-member='syd/LON'] .lag.late")`)
	p.add("mug")
	p.press(`[data-act="read"][data-token="no"]`)
	p.await("a read without the token, that was stale", `document.querySelector("#verdict[data-stale=true]")`)
	t.Logf("without: %s", p.text("#verdict"))
	p.choose("#lag-by", "5s") // a shop waits for a copy, but not for 15 s
	p.press("#add-lag")
	p.add("mug")
	testkit.Eventually(t, testkit.Patience, "an answer with the token", func() bool {
		p.press(`[data-act="read"][data-token="yes"]`)
		p.await("a verdict on the read with the token", `document.querySelector("#verdict").textContent.includes("with the token")`)
		if p.count("#verdict[data-stale=true]") > 0 {
			t.Fatalf("a read with the token was stale: %s", p.text("#verdict"))
		}
		return p.count("#verdict[data-stale=false]") > 0 // the shop may have given up: a person presses again
	})
	t.Logf("with: %s", p.text("#verdict"))
	p.choose("#lag-by", "0s")
	p.press("#add-lag")
	p.await("no fault", `document.querySelector("#faults").textContent === "no fault in force"`)
}
