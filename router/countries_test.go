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
		lines = append(lines, fmt.Sprintf("%s %.2f %.2f\n", c.Alpha2, c.Coordinates.Latitude, c.Coordinates.Longitude))
	}
	slices.Sort(lines)
	if len(lines) < 240 {
		t.Fatalf("the module has %d countries only", len(lines))
	}
	want := "# The middles of the countries, as degrees north and east: the data of github.com/pariz/gountries, written by TestCountryPointsAreTheModules.\n" + strings.Join(lines, "")
	if os.Getenv("GEOSHARD_GOLDEN") == "rewrite" {
		if err := os.WriteFile("countries.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("countries.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("countries.txt is not what the module says (make golden)")
	}
	if n := len(countryPoints()); n != len(lines) {
		t.Errorf("%d of %d countries are read", n, len(lines))
	}
	t.Logf("%d countries", len(lines))
}
