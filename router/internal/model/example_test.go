package model_test

import (
	"fmt"

	"github.com/geoshard/geoshard/router/internal/model"
)

func Example() {
	world := model.World{
		Datacenters: []model.Datacenter{
			{Name: "East", Active: true, TakesNew: true, NewZone: "East", At: &[2]float64{40.74, -74.17}},
			{Name: "West", Active: true, TakesNew: true, NewZone: "West", At: &[2]float64{45.84, -119.70}},
		},
		Zones: []model.Zone{
			{Name: "East", Owner: "East", Shards: []string{"east"}, Copies: []string{"East", "West"}},
			{Name: "West", Owner: "West", Shards: []string{"west"}, Copies: []string{"East", "West"}},
		},
		ZoneOf: func(home string) string { return home },
	}
	sanFrancisco := &[2]float64{37.77, -122.42}
	fmt.Println(model.Decide(world, model.State{}, model.Request{Here: "East", Kind: "new", Place: sanFrancisco}))
	fmt.Println(model.Decide(world, model.State{}, model.Request{Here: "East", Kind: "write", Home: "West"}))
	// Output:
	// {West West forward distance}
	// {West West forward owner}
}
