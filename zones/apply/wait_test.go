package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/geoshard/geoshard/zones"
	"github.com/geoshard/geoshard/zones/apply"
)

// scriptedProgress answers look after look; the last answer is repeated.
type scriptedProgress struct {
	looks []look
	asked int
}

type look struct {
	left apply.Remaining
	err  error
}

func (p *scriptedProgress) Remaining(ctx context.Context, _ zones.Layout) (apply.Remaining, error) {
	now := p.looks[min(p.asked, len(p.looks)-1)]
	p.asked++
	if err := ctx.Err(); err != nil {
		return apply.Remaining{}, err
	}
	return now.left, now.err
}

func running(r apply.Remaining) look {
	r.Balancer.Running = true
	return look{left: r}
}

func TestWaitEnds(t *testing.T) {
	chunks := func(n int) apply.Remaining {
		return apply.Remaining{Chunks: n, Documents: int64(10 * n), Bytes: int64(1000 * n), Collections: []string{"shop.carts"}}
	}
	held := chunks(2)
	held.Held = []string{"shop.carts"}
	partlyHeld := chunks(2)
	partlyHeld.Collections, partlyHeld.Held = []string{"shop.carts", "shop.stock"}, []string{"shop.carts"}
	jumbo, partlyJumbo := chunks(2), chunks(2)
	jumbo.Jumbo = []string{`shop.carts from {dc: "LON"} on nyc`, `shop.carts from {dc: "SYD"} on nyc`}
	partlyJumbo.Jumbo, partlyJumbo.Movable = jumbo.Jumbo[:1], 1
	stopped := look{left: chunks(2)}
	lastMigration := look{left: chunks(2)}
	lastMigration.left.Migrations = []apply.Migration{{Collection: "shop.carts", From: "nyc", To: "lon"}}
	orphans := running(apply.Remaining{Orphans: 5})
	broken := look{err: errors.New("not primary")}
	uncounted, uncountedMoves := running(chunks(0)), running(chunks(2))
	uncounted.left.Uncounted, uncountedMoves.left.Uncounted = "it takes MongoDB 6.0.3 or newer", "it takes MongoDB 6.0.3 or newer"

	for name, test := range map[string]struct {
		goal  apply.WaitGoal
		looks []look
		want  error
		after time.Duration
		hint  string
	}{
		"moved at once":                     {apply.WaitMoved, []look{running(chunks(0))}, nil, 0, ""},
		"moved, orphans do not matter":      {apply.WaitMoved, []look{running(chunks(3)), running(chunks(1)), orphans}, nil, 2 * time.Second, ""},
		"clean waits for orphans":           {apply.WaitClean, []look{running(chunks(1)), orphans, orphans, running(chunks(0))}, nil, 3 * time.Second, ""},
		"clean outlasts the servers' delay": {apply.WaitClean, append(repeat(orphans, 3600), running(chunks(0))), nil, 3600 * time.Second, ""},
		"orphans that stay":                 {apply.WaitClean, []look{orphans}, apply.ErrNoProgress, 80 * time.Minute, "geoshard status"},
		"moved, orphans cannot be counted":  {apply.WaitMoved, []look{uncountedMoves, uncounted}, nil, time.Second, ""},
		"clean, orphans cannot be counted":  {apply.WaitClean, []look{uncountedMoves, uncounted}, apply.ErrUncounted, time.Second, "geoshard verify"},
		"stopped balancer":                  {apply.WaitMoved, []look{running(chunks(3)), stopped}, apply.ErrBalancerStopped, time.Second, "sh.startBalancer()"},
		"stopped balancer, all moved":       {apply.WaitMoved, []look{{left: chunks(0)}}, nil, 0, ""},
		"stopped, last migration ends it":   {apply.WaitMoved, []look{lastMigration, lastMigration, {left: chunks(0)}}, nil, 2 * time.Second, ""},
		"held":                              {apply.WaitMoved, []look{running(held)}, apply.ErrBalancingHeld, 0, `sh.enableBalancing("shop.carts")`},
		"jumbo chunks alone":                {apply.WaitMoved, []look{running(partlyJumbo), running(jumbo)}, apply.ErrJumbo, time.Second, `from {dc: "SYD"} on nyc`},
		"others are not held":               {apply.WaitMoved, []look{running(partlyHeld), running(chunks(0))}, nil, time.Second, ""},
		"nothing moves":                     {apply.WaitMoved, []look{running(chunks(3)), running(chunks(2))}, apply.ErrNoProgress, 10*time.Minute + time.Second, "jumbo"},
		"an election is sat out":            {apply.WaitMoved, []look{running(chunks(3)), broken, broken, running(chunks(0))}, nil, 3 * time.Second, ""},
		"no answer for long":                {apply.WaitMoved, []look{running(chunks(3)), broken}, broken.err, time.Minute, ""},
		"no answer from the start":          {apply.WaitMoved, []look{broken}, broken.err, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := apply.Wait(t.Context(), zones.Layout{}, &scriptedProgress{looks: test.looks}, apply.WaitOptions{Goal: test.goal})
				if !errors.Is(err, test.want) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
				if got := time.Since(began); got != test.after {
					t.Errorf("ended after %s, want %s", got, test.after)
				}
				var failed *apply.WaitError
				if errors.As(err, &failed) && !strings.Contains(failed.Hint(), test.hint) {
					t.Errorf("got hint %q, want %q in it", failed.Hint(), test.hint)
				}
			})
		})
	}
}

func repeat(l look, n int) []look {
	looks := make([]look, n)
	for i := range looks {
		looks[i] = l
	}
	return looks
}

func TestWaitHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scriptedProgress{looks: []look{running(apply.Remaining{Chunks: 2, Documents: 7, Bytes: 99})}}
		err := apply.Wait(t.Context(), zones.Layout{}, p, apply.WaitOptions{Goal: apply.WaitMoved, Timeout: 5500 * time.Millisecond})
		if !errors.Is(err, apply.ErrTimeout) {
			t.Fatalf("got %v, want ErrTimeout", err)
		}
		const want = "wait until moved: the time is up after 6s; left are 2 chunks with 7 documents (99 bytes) outside their zone"
		if err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
	})
}

func TestWaitTellsBytesRateAndMigration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := apply.Remaining{Chunks: 1, Bytes: 250, Migrations: []apply.Migration{{Collection: "shop.carts", From: "nyc", To: "lon"}}}
		p := &scriptedProgress{looks: []look{running(apply.Remaining{Chunks: 4, Bytes: 1000}), running(apply.Remaining{Chunks: 2, Bytes: 500}), running(under), running(apply.Remaining{})}}
		var heard []apply.WaitProgress
		err := apply.Wait(t.Context(), zones.Layout{}, p, apply.WaitOptions{Goal: apply.WaitMoved, Every: 10 * time.Second, Listen: func(e apply.Event) {
			heard = append(heard, e.(apply.WaitProgress))
		}})
		if err != nil {
			t.Fatal(err)
		}
		// 500 of 1000 bytes in 10 s leave 10 s; 750 in 20 s leave 7 s.
		for i, want := range []time.Duration{0, 10 * time.Second, 7 * time.Second, 0} {
			if heard[i].ETA != want || heard[i].Total != 1000 {
				t.Errorf("look %d: got ETA %s of %d bytes, want %s of 1000", i, heard[i].ETA, heard[i].Total, want)
			}
		}
		if got := heard[2].Left.Migrations; len(got) != 1 || got[0].To != "lon" {
			t.Errorf("got migrations %v, want the one to lon", got)
		}
	})
}

func TestWaitGoalIsReadFromText(t *testing.T) {
	for _, goal := range []apply.WaitGoal{apply.WaitMoved, apply.WaitClean} {
		var got apply.WaitGoal
		if err := got.UnmarshalText([]byte(goal)); err != nil || got != goal {
			t.Errorf("got %v, %v, want %v", got, err, goal)
		}
	}
	if err := new(apply.WaitGoal).UnmarshalText([]byte("soon")); err == nil {
		t.Error("soon was accepted")
	}
}
