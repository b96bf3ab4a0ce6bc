package demo

import (
	"context"
	"fmt"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/spelling"
	"github.com/geoshard/geoshard/topology"
)

// A Step is a part of a story.
type Step struct {
	// Name is the name for --break.
	Name string `json:"name"`
	// Title says what the step shows.
	Title string `json:"title"`
	// Spoilt is what breaking it does.
	Spoilt string `json:"spoilt"`
	run    func(context.Context, *play) error
}

// Story is the story of a preset.
func Story(preset string) []Step {
	coming := Step{"newcomers", "A new cart is at home in the datacenter nearest to its customer", "the customer's whereabouts are left out of the requests", newcomers}
	if preset == eastWest {
		coming = Step{"newcomers", "Customers of the East Coast get carts in New Jersey, those of the West Coast in Oregon", "the states of both coasts are mixed up", coasts}
	}
	return []Step{
		{"zones", "The declared zones are made, and proved by documents", "a document is put on another datacenter's shard, past the query router", proveZones},
		coming,
		{"own-writes", "Whoever carries the causal token reads his own writes, anywhere", "the second reader asks for somebody else's cart", ownWrites},
		{"delay", "A customer adds a flashlight while the console is delayed: both changes stay, and every cart learns of it once", "one datacenter's inventory service is stopped", delayed},
		{"shipping", "Shipping is priced for what is in the cart", "the shipping process of the cart's datacenter is stopped", shipped},
		{"analytics", "Totals of all datacenters are read nearby, and agree", "an order is placed that nobody writes down", analysed},
		{"travel", "A customer travels: reads stay near, writes go home, until the home moves too", "the traveller's requests go to the shop itself, past the gateway", travelled},
		{"latency", "What is local stays local", "in each datacenter one of the reads that count as local asks a primary in another one", measured},
		{"failover", "A primary is killed: writes wait for the election, and none is lost", "so many members are stopped that no majority is left", failedOver},
		{"cut", "A datacenter is cut off: its carts go on elsewhere, and come home", "the links are left as they are", cutOff},
		{"proof", "In the end everything that was acknowledged is there, once, and where it belongs", "a write is undone in the database, behind the shop's back", proved},
	}
}

// eastWest is the preset with a story of its own.
const eastWest = "us-east-west"

// An UnknownStepError says that a story has no step of that name.
type UnknownStepError struct {
	Name  string
	Known []string
}

// Error names the steps there are.
func (e *UnknownStepError) Error() string {
	return fmt.Sprintf("unknown step %q: the steps are %s", e.Name, spelling.List(e.Known))
}

// Hint is the nearest step, or empty.
func (e *UnknownStepError) Hint() string {
	return spelling.Hint(e.Name, e.Known, "")
}

// CheckStep refuses the name of a step that the story of a preset does not have.
func CheckStep(preset, name string) error {
	var known []string
	for _, step := range Story(preset) {
		if step.Name == name {
			return nil
		}
		known = append(known, step.Name)
	}
	return &UnknownStepError{Name: name, Known: known}
}

// A visitor is a customer with a place on Earth.
type visitor struct {
	name string
	at   topology.Coordinates
}

// sanFrancisco is where the customer of the articles lives, whom the story follows.
var sanFrancisco = visitorFrom("San Francisco", 37.77, -122.42)

func visitorFrom(name string, lat, long float64) visitor {
	return visitor{name, topology.Coordinates{Lat: lat, Long: long}}
}

// away and lost are the datacenters to which something happens: the primary of one is killed, the other is cut off. They are different ones.
func (p *play) away() topology.DatacenterID { return p.homes[1] }

func (p *play) lost() topology.DatacenterID {
	if len(p.homes) > 2 {
		return p.homes[2]
	}
	return p.homes[0]
}

// whole waits until every member works and every primary is at home.
func (p *play) whole(ctx context.Context) error {
	err := p.awaitStatus(ctx, "all members to work and all primaries to be at home", cluster.Status.Whole)
	if err != nil {
		return err
	}
	return p.lookAround(ctx)
}

// lookAround notes where the primaries are now.
func (p *play) lookAround(ctx context.Context) error {
	status, err := p.cluster.Status(ctx)
	if err == nil {
		p.notePrimaries(status)
	}
	return err
}
