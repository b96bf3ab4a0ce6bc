package dashboard

import (
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A City is where a shopper can be.
type City struct {
	Name string  `json:"name"`
	Lat  float64 `json:"lat"`
	Long float64 `json:"long"`
}

// cities are a choice for stories; the datacenters' own positions are beside them.
var cities = []City{
	{"San Francisco", 37.77, -122.42}, {"Chicago", 41.88, -87.63}, {"New York", 40.71, -74.01}, {"Mexico City", 19.43, -99.13}, {"São Paulo", -23.55, -46.63},
	{"London", 51.51, -0.13}, {"Berlin", 52.52, 13.41}, {"Lagos", 6.52, 3.38}, {"Nairobi", -1.29, 36.82}, {"Mumbai", 19.08, 72.88},
	{"Singapore", 1.35, 103.82}, {"Tokyo", 35.68, 139.69}, {"Sydney", -33.87, 151.21}, {"Auckland", -36.85, 174.76},
}

func cityOf(name string) (City, bool) {
	for _, c := range cities {
		if c.Name == name {
			return c, true
		}
	}
	return City{}, false
}

// at is where a city is on Earth.
func (c City) at() *topology.Coordinates { return &topology.Coordinates{Lat: c.Lat, Long: c.Long} }

// nearest is the datacenter whose gateway a client in a city is led to.
func nearest(w World, c City) topology.DatacenterID {
	return client.Nearest(w.Topology(), served(w), *c.at())
}
