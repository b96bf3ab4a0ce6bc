package demo

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

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

// A play is a story under way.
type play struct {
	world  *World
	listen func(Event)
	broken string
	client *client.Client

	primaries primaries
	// visitor is the customer whose cart the story follows, set by the step of the newcomers.
	visitor visitor
	hers    *basket

	mu      sync.Mutex
	report  *Report     // guarded by mu
	step    *StepReport // guarded by mu
	baskets []*basket   // guarded by mu
	// notice is the identifier of the notice about a delay, once there is one.
	notice string
}

// Play plays the story of a world's preset, step by step. It goes on when a check fails, and ends when a request or the cluster fails, or ctx ends; the error is
// ctx's then, or nil: what went wrong is in the report.
func Play(ctx context.Context, w *World, o PlayOptions) (*Report, error) {
	story := Story(w.preset)
	p := &play{world: w, listen: o.Listen, broken: o.Break, client: client.New(w),
		report: &Report{Preset: w.preset, Began: w.began.UTC().Truncate(time.Millisecond), Started: client.Rounded(time.Since(w.began)), Broken: o.Break}}
	defer p.client.Close()
	if p.listen == nil {
		p.listen = func(Event) {}
	}
	if err := p.introduce(ctx); err != nil {
		return p.report, err
	}
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

// introduce notes what runs.
func (p *play) introduce(ctx context.Context) error {
	status, err := p.world.cluster.Status(ctx)
	if err != nil {
		return err
	}
	p.report.ServerVersion, p.report.QueryRouter, p.report.Links = status.ServerVersion, status.QueryRouter, status.Links
	p.primaries.note(p.world.topology, status)
	return nil
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

// say tells in words.
func (p *play) say(format string, args ...any) { p.tell(Line{Text: fmt.Sprintf(format, args...)}) }

// took tells how long something took.
func (p *play) took(since time.Time, format string, args ...any) {
	p.tell(Line{Text: fmt.Sprintf(format, args...), Took: client.Rounded(time.Since(since))})
}

// show tells of a request.
func (p *play) show(a client.Answer, format string, args ...any) {
	p.tell(Line{Text: fmt.Sprintf(format, args...), Exchange: &a.Exchange})
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

// name is a datacenter's name for people.
func (p *play) name(dc topology.DatacenterID) string {
	d, _ := p.world.topology.Datacenter(dc)
	return cmp.Or(d.Name, string(dc))
}

// others are the homes other than one.
func (p *play) others(than topology.DatacenterID) (list []topology.DatacenterID) {
	for _, dc := range p.world.homes {
		if dc != than {
			list = append(list, dc)
		}
	}
	return list
}

// neighbour is the nearest home to a datacenter, by round trips; nearest is how far it is.
func (p *play) neighbour(of topology.DatacenterID) (nearest topology.DatacenterID, rtt time.Duration) {
	for _, dc := range p.others(of) {
		if d := p.world.topology.RTT(of, dc); nearest == "" || d < rtt {
			nearest, rtt = dc, d
		}
	}
	return nearest, rtt
}

// primaries remembers where the primaries were when somebody last looked.
type primaries struct {
	mu      sync.Mutex
	byShard map[topology.ShardID]string // guarded by mu
}

func (p *primaries) of(shard topology.ShardID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byShard[shard]
}

func (p *primaries) note(world *topology.Topology, status cluster.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byShard = map[topology.ShardID]string{}
	for _, shard := range world.Shards {
		if m, ok := status.Primary(shard.ID); ok {
			p.byShard[shard.ID] = m.Name
		}
	}
}

func (p *primaries) set(shard topology.ShardID, member string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byShard[shard] = member
}
