package router

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

//go:embed countries.txt
var countryLines string

// countryPoints are the middles of the countries, by their code.
var countryPoints = sync.OnceValue(func() map[string]point {
	points := map[string]point{}
	for line := range strings.Lines(countryLines) {
		if code, degrees, _ := strings.Cut(strings.TrimSpace(line), " "); code != "#" {
			north, east, _ := strings.Cut(degrees, " ")
			lat, _ := strconv.ParseFloat(north, 32) // a test holds the file together with its source
			long, _ := strconv.ParseFloat(east, 32)
			points[code] = pointAt(lat, long)
		}
	}
	return points
})
