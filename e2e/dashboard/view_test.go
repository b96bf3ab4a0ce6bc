package dashboard_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/geoshard/geoshard/internal/testkit"
)

// settled is long enough for what is under way to be drawn.
const settled = 2 * time.Second

// The pictures of the documentation are of this page with this cluster behind it: made by GEOSHARD_GOLDEN=rewrite, and otherwise looked at as files.
func TestPicturesOfTheDocumentation(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "images")
	if rewrite {
		running(t).picture(t, dir)
	}
	for _, name := range []string{"dashboard-light.png", "dashboard-dark.png"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatalf("%v: make it by GEOSHARD_GOLDEN=rewrite", err)
		}
		picture, err := png.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if size := picture.Bounds().Size(); size.X < 1400 || size.Y < 1000 {
			t.Errorf("%s is %v, want a whole page", name, size)
		}
	}
}

// picture plays a little, so that there is something to see, and takes the pictures.
func (s *browsedDemo) picture(t *testing.T, dir string) {
	t.Helper()
	s.awaitWhole(t)
	p := s.open(t)
	p.shopper("Auckland")
	p.add("lamp")
	p.shopper("San Francisco")
	testkit.Eventually(t, testkit.Patience, "a console, which another test may have delayed", func() bool {
		p.choose("#sku", "console")
		p.press(`form[data-act="item"] button`)
		p.await("the console, or why not", `document.querySelector("#shopper [data-sku=console]") || !document.querySelector("#note").hidden`)
		return p.count("#shopper [data-sku=console]") > 0
	})
	p.complaints()
	p.add("book")
	p.press(`[data-act="delay"]`)
	p.await("the mark", `document.querySelector("#shopper [data-sku=console] .badge.gone")`)
	p.press(`[data-act="kill"][data-shard="lon"]`)
	p.await("the failover", `document.querySelector("#failover li")?.textContent.includes("longest write")`)
	p.press(`[data-act="start"][data-member="lon/LON"]`)
	s.awaitWhole(t)
	p.choose("#to", "Tokyo")
	p.press(`form[data-act="travel"] button`)
	p.add("mug")
	p.press(`[data-act="read"][data-token="yes"]`)
	p.press(`[data-act="isolate"][data-dc="SYD"]`)
	p.await("another primary of syd", `[...document.querySelectorAll("[data-shard=syd] [data-role=primary][data-state=up]")].some((m) => !m.dataset.member.endsWith("SYD"))`)
	p.do(chromedp.Sleep(10 * settled)) // a minute of the charts
	for _, scheme := range []string{"light", "dark"} {
		p.prefers(scheme)
		p.do(chromedp.Sleep(settled))
		picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "dashboard-"+scheme+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.press("#heal")
	s.awaitWhole(t)
}
