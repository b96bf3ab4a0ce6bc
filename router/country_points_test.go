package router

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pariz/gountries"
)

// The table of countries is made from gountries, which takes seconds to read its own files and would be asked in every start of a program. This test keeps
// it equal to the module's data; `make golden` writes it anew after an update of the module.
func TestCountryPointsAreTheModules(t *testing.T) {
	var lines []string
	for _, c := range gountries.New().FindAllCountries() {
		lines = append(lines, fmt.Sprintf("\t%q: {%.2f, %.2f},\n", c.Alpha2, c.Coordinates.Latitude, c.Coordinates.Longitude))
	}
	slices.Sort(lines)
	if len(lines) < 240 {
		t.Fatalf("the module has %d countries only", len(lines))
	}
	want := "// Code generated from the data of github.com/pariz/gountries by TestCountryPointsAreTheModules; DO NOT EDIT.\n\npackage router\n\n" +
		"// countryPoints are the middles of the countries, as degrees north and east.\nvar countryPoints = map[string][2]float32{\n" + strings.Join(lines, "") + "}\n"
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := os.WriteFile("country_points.go", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("country_points.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("country_points.go is not what the module says (make golden)")
	}
	t.Logf("%d countries", len(lines))
}
