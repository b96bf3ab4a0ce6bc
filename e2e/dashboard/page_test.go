package dashboard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/geoshard/geoshard/internal/testkit"
)

// A page is a tab with the dashboard.
type page struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	messages []string // of the console; guarded by mu
}

// blank is a tab in which nothing is open yet. When the test ends its console has to be empty.
func (s *browsedDemo) blank(t *testing.T) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(s.browser)
	p := &page{t: t, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.messages) > 0 {
			t.Errorf("the console is not empty:\n%s", strings.Join(p.messages, "\n"))
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(1440, 1000))
	return p
}

// hear notes what the page complains of.
func (p *page) hear(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text = "console." + string(e.Type)
		for _, a := range e.Args {
			text += " " + string(a.Value) + a.Description
		}
	case *runtime.EventExceptionThrown:
		text = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *cdplog.EventEntryAdded:
		text = fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages = append(p.messages, text)
}

// complaints takes what the console has said so far.
func (p *page) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.messages
	p.messages = nil
	return said
}

// open opens the page with its token, and waits until it shows the cluster.
func (s *browsedDemo) open(t *testing.T) *page {
	t.Helper()
	p := s.blank(t)
	p.visit(s.url + "#token=" + token)
	return p
}

func (p *page) visit(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
	p.shown()
}

func (p *page) shown() {
	p.t.Helper()
	p.await("the page is live and shows the members", `document.querySelector("#live").dataset.live === "true" && document.querySelectorAll("#members [data-member]").length > 0`)
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, testkit.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("in the page: %v", err)
	}
}

// eval is the value of an expression in the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shownNow is what the page shows when a wait has failed, and whether the browser still draws it.
const shownNow = `(async () => JSON.stringify({
	note: document.querySelector("#note").textContent,
	log: [...document.querySelectorAll("#log li")].slice(0, 6).map((li) => li.textContent),
	people: [...document.querySelectorAll("#people button")].map((b) => b.textContent + (b.ariaPressed === "true" ? " (shown)" : "")),
	city: document.querySelector("#city").value,
	requests: [...document.querySelectorAll("#requests tr")].slice(0, 3).map((tr) => tr.textContent),
	busy: [...document.querySelectorAll("[aria-busy]")].map((b) => b.textContent),
	live: document.querySelector("#live").dataset.live,
	visible: document.visibilityState,
	draws: await Promise.race([new Promise((r) => requestAnimationFrame(() => r(true))), new Promise((r) => setTimeout(() => r(false), 3000))]),
}))()`

// await waits until an expression is true in the page.
func (p *page) await(what, expression string) {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			now, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](shownNow, chromedp.EvalAwaitPromise))
			p.t.Logf("the page: %s, %v", now, err)
		}
	}()
	testkit.Eventually(p.t, testkit.Patience, what+"\n"+expression, func() bool { return eval[bool](p, "!!("+expression+")") })
}

// text is what an element says, "" where there is none.
func (p *page) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%s)?.textContent ?? ""`, quoted(selector)))
}

// count is how many elements there are.
func (p *page) count(selector string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`document.querySelectorAll(%s).length`, quoted(selector)))
}

// has waits for an element.
func (p *page) has(selector string) {
	p.t.Helper()
	p.await("there is "+selector, fmt.Sprintf(`document.querySelector(%s)`, quoted(selector)))
}

// press clicks on a button, and waits until what it does is done. The page clicks: a mouse aims at a place, from which the button may have moved when a line of the log
// comes in between.
func (p *page) press(selector string) {
	p.t.Helper()
	p.has(selector)
	p.idle() // a button that is busy does nothing
	eval[bool](p, fmt.Sprintf(`(document.querySelector(%s).click(), true)`, quoted(selector)))
	p.idle()
}

// idle waits until no button is busy.
func (p *page) idle() {
	p.t.Helper()
	p.await("no button is busy", `!document.querySelector("[aria-busy]")`)
}

// choose chooses in a list, as a person does who sees it change.
func (p *page) choose(selector, value string) {
	p.t.Helper()
	p.await("the choice of "+value, fmt.Sprintf(`[...document.querySelector(%s)?.options ?? []].some((o) => o.value === %s)`, quoted(selector), quoted(value)))
	eval[bool](p, fmt.Sprintf(`((list) => { list.value = %s; for (const e of ["input", "change"]) list.dispatchEvent(new Event(e, { bubbles: true })); return true; })(document.querySelector(%s))`,
		quoted(value), quoted(selector)))
}

// key presses a key.
func (p *page) key(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// focused names the element that has the focus: its id, or what it does and says.
func (p *page) focused() string {
	p.t.Helper()
	return eval[string](p, `(() => { const e = document.activeElement; return e.id || [e.dataset.act, e.getAttribute("aria-label") ?? e.textContent].filter(Boolean).join(" ") || e.tagName; })()`)
}

// tabTo presses Tab until an element has the focus.
func (p *page) tabTo(selector string) {
	p.t.Helper()
	for range 120 {
		if eval[bool](p, fmt.Sprintf(`document.activeElement.matches(%s)`, quoted(selector))) {
			return
		}
		p.key(kb.Tab)
	}
	p.t.Fatalf("Tab does not come to %s; the focus is at %s", selector, p.focused())
}

// prefers is the system's choice of colours.
func (p *page) prefers(colours string) {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: colours}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always can be
	return string(b)
}
