package dashboard_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/geoshard/geoshard/internal/testkit"
)

func TestAReloadedPageKnowsWhatWasBefore(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.shopper("Berlin")
	name := eval[string](p, `document.querySelector("#shopper [data-shopper]").dataset.shopper`)
	p.press(`[data-act="choose"][aria-pressed="true"]`)
	if hash := eval[string](p, `location.hash`); hash != "" {
		t.Errorf("the address still has the token: %q", hash)
	}
	happened, points := p.count("#log li"), eval[int](p, `document.querySelector("#latency .way-local .dots").getAttribute("d").length`)
	p.do(chromedp.Reload())
	p.shown()
	p.await("the shopper "+name, fmt.Sprintf(`document.querySelector("#people").textContent.includes(%q)`, name))
	p.await("the log of before", fmt.Sprintf(`document.querySelectorAll("#log li").length >= %d`, min(happened, 40)))
	p.await("the chart of before", fmt.Sprintf(`document.querySelector("#latency .way-local .dots").getAttribute("d").length >= %d`, points/2))
	p.press(`[data-act="read"][data-token="yes"]`) // the token of the tab is still there
	p.has("#verdict")
	if !eval[bool](p, `document.querySelector("#note").hidden`) {
		t.Errorf("after a reload: %s", p.text("#note"))
	}
}

func TestWithoutTheTokenOneCanLookAndNotPress(t *testing.T) {
	s := running(t)
	p := s.blank(t)
	p.visit(s.url)
	p.await("the note", `document.querySelector("#note").textContent.includes("You can look, but not press")`)
	before := s.status(t)
	p.press(`[data-act="kill"][data-shard="nyc"]`)
	p.await("the refusal", `document.querySelector("#note").textContent.includes("token is missing or wrong")`)
	after, _ := s.status(t).Primary("nyc")
	if was, _ := before.Primary("nyc"); was.PID != after.PID {
		t.Errorf("nyc's primary was killed without the token")
	}
	if said := p.complaints(); len(said) != 2 { // of the two answers
		t.Errorf("got %q, want the console to tell of two refusals", said)
	}
}

func TestTheSteadyTrafficIsStoppedAndStarted(t *testing.T) {
	s := running(t)
	p := s.open(t)
	p.press(`[data-act="traffic"][data-on="no"]`)
	p.await("the button to start it", `document.querySelector("[data-act=traffic]").dataset.on === "yes"`)
	newest := `document.querySelector("#requests tr[data-who=traffic]")?.dataset.key ?? ""`
	var last string
	testkit.Eventually(t, testkit.Patience, "no more requests", func() bool { // those under way end
		was := last
		last = eval[string](p, newest)
		p.do(chromedp.Sleep(settled))
		return was == last && last == eval[string](p, newest)
	})
	p.press(`[data-act="traffic"]`)
	p.await("new requests", `(`+newest+`) !== `+quoted(last))
	p.do(chromedp.Click(chromedp.CSS("#only-shoppers")))
	p.await("only shoppers' requests", `!document.querySelector("#requests tr[data-who=traffic]")`)
	p.do(chromedp.Click(chromedp.CSS("#only-shoppers")))
	p.await("all requests", `document.querySelector("#requests tr[data-who=traffic]")`)
}

const background = `getComputedStyle(document.body).backgroundColor`

func TestLightAndDarkFollowTheSystemAndTheSwitch(t *testing.T) {
	s := running(t)
	p := s.blank(t)
	p.prefers("light")
	p.visit(s.url + "#token=" + token)
	light := eval[string](p, background)
	p.prefers("dark")
	p.await("dark colours", background+` !== `+quoted(light))
	dark := eval[string](p, background)
	p.press("#theme") // light, against the system
	p.await("light colours", background+` === `+quoted(light))
	p.do(chromedp.Reload())
	p.shown()
	if got := eval[string](p, background); got != light {
		t.Errorf("after a reload the background is %s, want %s as was chosen", got, light)
	}
	p.press("#theme")
	p.await("dark colours again", background+` === `+quoted(dark))
	eval[bool](p, `(localStorage.clear(), true)`) // other tests' tabs share it
	for _, scheme := range []string{"light", "dark"} {
		p.do(chromedp.Navigate("about:blank"))
		p.prefers(scheme)
		p.visit(s.url)
		p.complaints()
		if low := eval[[]string](p, contrast); len(low) > 0 {
			t.Errorf("%s: texts that are hard to read: %s", scheme, strings.Join(low, "; "))
		}
	}
}

// contrast lists texts with less than 4.5 to 1 against what is behind them, which WCAG asks for.
const contrast = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = (el) => { for (; el; el = el.parentElement) { const style = getComputedStyle(el); if (style.backgroundImage !== "none") return null; const c = rgba(style.backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
  const low = new Set();
  for (const el of document.querySelectorAll("body *")) {
    if (el.closest("svg, .hidden, .skip, [hidden], noscript, option") || ![...el.childNodes].some((n) => n.nodeType === 3 && n.nodeValue.trim()) || el.getClientRects().length === 0) continue;
    const back = behind(el);
    if (!back) continue;
    const a = light(rgba(getComputedStyle(el).color)), b = light(back);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.add(el.className + " " + el.textContent.slice(0, 30) + " " + ratio.toFixed(2));
  }
  return [...low];
})()`

// Nothing here is done by a mouse.
func TestEverythingCanBeDoneByKeyboard(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.key(kb.Tab)
	if !eval[bool](p, `document.activeElement.matches("a.skip") && document.activeElement.getBoundingClientRect().top >= 0`) {
		t.Errorf("the first Tab leads to %s, want the way to the shoppers, and in sight", p.focused())
	}
	p.key(kb.Enter)
	p.tabTo("#new-shopper")
	if outline := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`); outline == "none" {
		t.Error("the focus cannot be seen")
	}
	before := p.count("#people button")
	p.key(kb.Enter)
	p.await("a shopper", fmt.Sprintf(`document.querySelectorAll("#people button").length === %d && document.querySelector("#people button:last-child").ariaPressed === "true" && !document.querySelector("[aria-busy]")`, before+1))
	if got := p.focused(); got != "new-shopper" {
		t.Errorf("after the action the focus is at %s, want it where it was", got)
	}
	p.await("the products", `document.querySelector("#sku").options.length > 0`)
	p.tabTo("#sku")
	p.key(kb.Home) // the first of the list
	p.await("the first product", `document.querySelector("#sku").value === "book"`)
	p.key(kb.Tab)
	p.key(kb.Enter)
	p.await("a book in the cart", `document.querySelector("[data-sku=book]")`)
	p.tabTo(`[data-act="isolate"][data-dc="LON"]`)
	p.key(" ")
	p.has(`#members [data-dc="LON"][data-cut="true"]`)
	if got := p.focused(); !strings.HasPrefix(got, "heal") {
		t.Errorf("the focus is at %s, want it at the button that undoes it", got)
	}
	p.key(kb.Enter)
	p.has(`#members [data-dc="LON"][data-cut="false"]`)
	p.key(kb.Tab, chromedp.ModifierShift)
	if got := p.focused(); !strings.HasPrefix(got, "isolate Cut New York") {
		t.Errorf("Shift-Tab leads to %s, want the button before", got)
	}
	s.reachable(t, p)
	s.awaitWhole(t)
}

// reachable tabs through the page from its beginning, and holds what it met against all that can be pressed.
func (s *browsedDemo) reachable(t *testing.T, p *page) {
	t.Helper()
	p.press(`[data-act="traffic"]`) // still, so that nothing comes and goes meanwhile
	p.do(chromedp.Evaluate[chromedp.Void](`window.met = new Set(); document.activeElement.blur(); document.addEventListener("focusin", (e) => met.add(e.target)); window.scrollTo(0, 0)`))
	p.do(chromedp.Focus(chromedp.CSS("a.skip")))
	for range eval[int](p, `document.querySelectorAll("button, select, input, summary, a, [tabindex]").length`) + 3 {
		p.key(kb.Tab)
	}
	missed := eval[[]string](p, `[...document.querySelectorAll("button, select, input, summary")].filter((e) => e.getClientRects().length && !met.has(e)).map((e) => e.id || e.textContent)`)
	if len(missed) > 0 {
		t.Errorf("Tab does not come to %q", missed)
	}
	t.Logf("%d places to press or choose", eval[int](p, `met.size`))
	p.press(`[data-act="traffic"]`)
}

func TestANarrowWindowNeedsNoScrollingSideways(t *testing.T) {
	s := running(t)
	s.awaitWhole(t)
	p := s.open(t)
	p.shopper("Lagos")
	for _, width := range []int64{360, 800, 1100, 1920} {
		p.do(chromedp.EmulateViewport(width, 900))
		if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > width {
			t.Errorf("in a window of %d the page is %d wide: %v", width, wide,
				eval[[]string](p, `[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, svg")).slice(0, 5).map((e) => e.tagName + "." + e.className)`))
		}
	}
}
