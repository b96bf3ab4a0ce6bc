package configs_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
	"github.com/google/go-cmp/cmp"
)

func world(t *testing.T, preset string) *topology.Topology {
	t.Helper()
	src, err := configs.Read(preset)
	if err != nil {
		t.Fatal(err)
	}
	w, problems := topology.Check(preset+".yaml", src)
	for _, p := range problems {
		t.Error(p)
	}
	return w
}

func TestPresetsHaveNoProblems(t *testing.T) {
	for _, preset := range configs.Names() {
		t.Run(preset, func(t *testing.T) { world(t, preset) })
	}
}

func TestEveryFileIsNamed(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var presets int
	for _, f := range files {
		name, isPreset := strings.CutSuffix(f.Name(), ".yaml")
		if !isPreset {
			continue
		}
		presets++
		if _, err := configs.Read(name); err != nil {
			t.Error(err)
		}
	}
	if presets != len(configs.Names()) {
		t.Errorf("got %d files, want the %d of Names", presets, len(configs.Names()))
	}
}

// The reference world: every shard has its primary at home and a secondary in each other datacenter.
func TestReferenceWorldIsTheMatrixOfThreeByThree(t *testing.T) {
	w := world(t, "nyc-lon-syd")
	var got []string
	for _, shard := range w.Shards {
		row := string(shard.ID) + ":"
		for _, dc := range w.Datacenters {
			cell := "-"
			for _, m := range shard.Members {
				if m.DC == dc.ID {
					cell = "secondary"
				}
			}
			if w.HomeOf(shard.ID) == dc.ID {
				cell = "PRIMARY"
			}
			row += " " + cell
		}
		got = append(got, row)
	}
	want := []string{"nyc: PRIMARY secondary secondary", "lon: secondary PRIMARY secondary", "syd: secondary secondary PRIMARY"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestEastWestUsesTheNamesOfTheExample(t *testing.T) {
	w := world(t, "us-east-west")
	ns, ok := w.Namespace("shop.carts")
	if !ok || ns.ZoneBy != "DataCenter" || ns.Key.String() != "{DataCenter: 1, cartId: 1}" {
		t.Errorf("got %+v, want carts sharded by DataCenter and cartId", ns)
	}
	for zone, shard := range map[topology.ZoneID]topology.ShardID{"East": "east", "West": "west"} {
		if z, ok := w.Zone(zone); !ok || len(z.Shards) != 1 || z.Shards[0] != shard || w.HomeOf(shard) != topology.DatacenterID(zone) {
			t.Errorf("zone %s: got %+v, want shard %s at home there", zone, z, shard)
		}
	}
	// What the comment at `survive` says: the goal is the most that this layout can hold.
	w.Survive = topology.SurviveDatacenter
	if err := w.Validate(); err == nil || !strings.Contains(err.Error(), "a primary is elected, but writes with w: majority wait") {
		t.Errorf("survive: datacenter: got %v, want that majority writes wait", err)
	}
}

func TestOgilvysLondonIsTheHomeOfNothingAndTakesOver(t *testing.T) {
	w := world(t, "ogilvy")
	if lon, _ := w.Datacenter("LON"); lon.Role != topology.RolePassive {
		t.Errorf("London is %s, want passive", lon.Role)
	}
	for _, shard := range w.Shards {
		shard.Members = shard.Members[1:] // the home is lost
		w := topology.Topology{Shards: []topology.Shard{shard}}
		if next := w.HomeOf(shard.ID); next != "LON" {
			t.Errorf("shard %s: got %s after its home, want LON", shard.ID, next)
		}
	}
}

func TestUnknownPreset(t *testing.T) {
	_, err := configs.Read("nyc-lon-sid")
	var unknown *configs.UnknownPresetError
	if !errors.As(err, &unknown) || unknown.Hint() != `did you mean "nyc-lon-syd"?` || !strings.Contains(err.Error(), "ogilvy") {
		t.Errorf("got %v", err)
	}
	if _, err := configs.Read("../go"); !errors.As(err, &unknown) || unknown.Hint() != "" {
		t.Errorf("got %v", err)
	}
}
