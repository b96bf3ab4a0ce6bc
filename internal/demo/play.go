package demo

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// An Event is something that happens while a story is played. Listeners switch over its types; they must not block.
type Event interface{ event() }

// StepBegun: a step begins, the Number-th of Total.
type StepBegun struct {
	Number, Total int
	Step          Step
}

// Told: a step tells a line.
type Told struct{ Line Line }

// StepEnded: a step has ended.
type StepEnded struct{ Report StepReport }

func (StepBegun) event() {}
func (Told) event()      {}
func (StepEnded) event() {}

// PlayOptions say how a story is played.
type PlayOptions struct {
	// Break is the name of a step that is to be spoilt, so that its checks fail. The story ends with it. Empty = none.
	Break string
	// Listen hears what happens, from one goroutine at a time. nil = nobody.
	Listen func(Event)
}

// A play is a story under way in a world.
type play struct {
	*World
	listen func(Event)
	broken string
	client *client.Client

	// hers is the cart that the story follows, of the customer in San Francisco; set by the step of the newcomers.
	hers *basket

	mu        sync.Mutex
	report    *Report                     // guarded by mu
	step      *StepReport                 // guarded by mu
	baskets   []*basket                   // guarded by mu
	primaries map[topology.ShardID]string // where they were when somebody last looked; guarded by mu
	// notice is the identifier of the notice about a delay, once there is one.
	notice string
}

// Play plays the story of a world's preset, step by step. It goes on when a check fails, and ends when a request or the cluster fails, or ctx ends; the error is
// ctx's then, or nil: what went wrong is in the report.
func Play(ctx context.Context, w *World, o PlayOptions) (*Report, error) {
	story := Story(w.options.Preset)
	p := &play{World: w, listen: o.Listen, broken: o.Break, client: client.New(w),
		report: &Report{Preset: w.options.Preset, Began: w.began.UTC().Truncate(time.Millisecond), Started: client.Rounded(time.Since(w.began)), Broken: o.Break}}
	defer p.client.Close()
	if p.listen == nil {
		p.listen = func(Event) {}
	}
	status, err := w.cluster.Status(ctx)
	if err != nil {
		return p.report, err
	}
	p.report.ServerVersion, p.report.QueryRouter, p.report.Links = status.ServerVersion, status.QueryRouter, status.Links
	p.notePrimaries(status)
	for i, step := range story {
		p.listen(StepBegun{Number: i + 1, Total: len(story), Step: step})
		err := p.perform(ctx, step)
		if ctx.Err() != nil {
			return p.report, context.Cause(ctx)
		}
		if err != nil || p.spoilt(step.Name) { // what comes after a spoilt step would tell nothing
			break
		}
		p.report.AllHeld = i == len(story)-1 && p.report.Checks.Failed == 0
	}
	p.report.Took = client.Rounded(time.Since(w.began))
	return p.report, nil
}

func (p *play) perform(ctx context.Context, step Step) error {
	began := time.Now()
	p.mu.Lock()
	p.step = &StepReport{Name: step.Name, Title: step.Title, Lines: []Line{}}
	p.mu.Unlock()
	err := step.run(ctx, p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step.Took = client.Rounded(time.Since(began))
	if err != nil {
		p.step.Error = err.Error()
		if help := hint.Of(err); help != "" {
			p.step.Error += " (" + help + ")"
		}
	}
	p.report.Steps = append(p.report.Steps, *p.step)
	p.listen(StepEnded{Report: *p.step})
	return err
}

// spoilt reports whether a step is to be spoilt.
func (p *play) spoilt(step string) bool { return p.broken == step }

func (p *play) tell(l Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step.Lines = append(p.step.Lines, l)
	if l.Check != nil && l.Check.Held {
		p.report.Checks.Held++
	} else if l.Check != nil {
		p.report.Checks.Failed++
	}
	p.listen(Told{Line: l})
}

// words are what is told. Datacenters are told by their names.
func (p *play) words(format string, args ...any) string {
	for i, arg := range args {
		if dc, is := arg.(topology.DatacenterID); is {
			args[i] = p.name(dc)
		}
	}
	return fmt.Sprintf(format, args...)
}

// say tells in words.
func (p *play) say(format string, args ...any) { p.tell(Line{Text: p.words(format, args...)}) }

// took tells how long something took that ends now.
func (p *play) took(since time.Time, format string, args ...any) {
	p.lasted(time.Since(since), format, args...)
}

// lasted tells how long something took.
func (p *play) lasted(long time.Duration, format string, args ...any) {
	p.tell(Line{Text: p.words(format, args...), Took: client.Rounded(long)})
}

// show tells of a request.
func (p *play) show(a client.Answer, format string, args ...any) {
	p.tell(Line{Text: p.words(format, args...), Exchange: &a.Exchange})
}

// check tells whether something is as it has to be.
func (p *play) check(what string, held bool, got, want any) {
	p.tell(Line{Text: what, Check: &Check{Held: held, Got: fmt.Sprint(got), Want: fmt.Sprint(want)}})
}

// same checks that two values are the same.
func same[T comparable](p *play, what string, got, want T) { p.check(what, got == want, got, want) }

// atLeast checks that something took a round trip.
func (p *play) atLeast(what string, got cluster.Duration, rtt time.Duration) {
	p.check(what, time.Duration(got) >= rtt, got, "at least "+rtt.String())
}

// mostAtOnce is how many requests of one kind are under way at most.
const mostAtOnce = 9

// together does something with each of some things at the same time, and returns what came of each, in their order.
func together[A, B any](ctx context.Context, all []A, do func(context.Context, A) (B, error)) ([]B, error) {
	found := make([]B, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostAtOnce)
	for i, one := range all {
		group.Go(func() (err error) {
			found[i], err = do(ctx, one)
			return err
		})
	}
	return found, group.Wait()
}

// name is a datacenter's name for people.
func (p *play) name(dc topology.DatacenterID) string {
	d, _ := p.topology.Datacenter(dc)
	return cmp.Or(d.Name, string(dc))
}

// others are the homes other than one.
func (p *play) others(than topology.DatacenterID) []topology.DatacenterID {
	return slices.DeleteFunc(slices.Clone(p.homes), func(dc topology.DatacenterID) bool { return dc == than })
}

// byDistance orders datacenters by their round trips from one.
func (p *play) byDistance(from topology.DatacenterID) func(a, b topology.DatacenterID) int {
	return func(a, b topology.DatacenterID) int {
		return cmp.Compare(p.topology.RTT(from, a), p.topology.RTT(from, b))
	}
}

// neighbour is the nearest home to a datacenter.
func (p *play) neighbour(of topology.DatacenterID) topology.DatacenterID {
	return slices.MinFunc(p.others(of), p.byDistance(of))
}

// primaryOf is a shard's primary as it was last seen; empty if there was none.
func (p *play) primaryOf(shard topology.ShardID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.primaries[shard]
}

func (p *play) notePrimaries(status cluster.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.primaries = map[topology.ShardID]string{}
	for _, shard := range p.topology.Shards {
		if m, ok := status.Primary(shard.ID); ok {
			p.primaries[shard.ID] = m.Name
		}
	}
}
