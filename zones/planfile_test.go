package zones

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/shardkey"
	"github.com/geoshard/geoshard/topology"
)

// bound is a key of two values.
func bound(first, second bson.RawValue) bson.Raw {
	return document(bson.D{{Key: "dc", Value: first}, {Key: "a.b", Value: second}})
}

// allKinds is a plan with one change of each kind.
func allKinds() *Plan {
	key := topology.Key{{Name: "dc"}, {Name: "a.b", Hashed: true}}
	r := Range{Min: bound(shardkey.ValueOf(topology.StringOf("N<Y>&\u2028")), shardkey.MinKey), Max: bound(shardkey.ValueOf(topology.FloatOf(0.1)), shardkey.MaxKey), Zone: "NYC"}
	p := &Plan{Made: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), ClusterID: "c", StateHash: "h", Namespaces: []string{"shop.*"}, Layout: Layout{
		Zones:       []ZoneShards{{"NYC", []topology.ShardID{"nyc"}}},
		Collections: []Placement{{Collection: "shop.carts", Key: key, Ranges: []Range{r}, Reject: Rejection("dc", []topology.Range{{Zone: "NYC", Values: []topology.Value{topology.StringOf("NYC")}}})}},
	}}
	for _, c := range []Change{
		AddShardToZone{"nyc", "NYC"}, HoldBalancing{"shop.carts"}, RemoveRange{"shop.carts", r}, AddRange{"shop.carts", r}, ReleaseBalancing{"shop.carts"},
		ShardCollection{"shop.carts", key}, RemoveShardFromZone{"lon", "NYC"},
		SetValidator{"shop.carts", shardkey.ExtJSON(document(bson.D{{Key: "total", Value: bson.D{{Key: "$gte", Value: int32(0)}}}})), "strict", "error"}, SetValidator{Collection: "shop.carts"},
	} {
		p.Steps = append(p.Steps, Step{c, CauseIntent, "because"})
	}
	p.Findings = []Finding{{Severity: SeverityNote, Rule: "r", Subject: "s", Message: "m"}}
	return p
}

func TestEveryKindOfChangeIsReadBack(t *testing.T) {
	want := allKinds()
	for name, set := range map[string]func(*json.Encoder){
		"compact":    func(*json.Encoder) {},
		"indented":   func(e *json.Encoder) { e.SetIndent("", "\t") },
		"plain HTML": func(e *json.Encoder) { e.SetEscapeHTML(false) },
	} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		set(encoder)
		if err := encoder.Encode(want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadPlan(&text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", name, diff)
		}
	}
}

// The file is documented by this test: testdata/plan.json is a plan with a change of each kind.
func TestPlanFileLooksLikeItsExample(t *testing.T) {
	text, err := json.MarshalIndent(allKinds(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/plan.json", string(text)+"\n")
}

func TestReadPlanRefusesWhatWasNotSavedSo(t *testing.T) {
	saved, err := json.MarshalIndent(allKinds(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text := string(saved)
	edit := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the plan has no %s", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	var got strings.Builder
	for _, c := range []struct{ name, text string }{
		{"a step's zone changed", edit(`"zone": "NYC"`, `"zone": "LON"`)},
		{"a number's last digit changed", edit(`"0.1"`, `"0.2"`)},
		{"the state's hash changed", edit(`"stateHash": "h"`, `"stateHash": "i"`)},
		{"a field added", edit(`"clusterId"`, `"force": true, "clusterId"`)},
		{"a field added outside", edit(`"checksum"`, `"force": true, "checksum"`)},
		{"the checksum left out", edit(`"checksum"`, `"checksun"`)},
		{"a newer version", edit(`"geoshardPlan": 1`, `"geoshardPlan": 2`)},
		{"a newer version with other parts", `{"geoshardPlan": 7, "sum": "…"}`},
		{"cut off", text[:len(text)/2]},
		{"something behind it", text + "{}"},
		{"nothing", ""},
		{"another file", "version: 1\n"},
		{"other JSON", `{"version": 1}`},
		{"a list", `[1]`},
	} {
		_, err := ReadPlan(strings.NewReader(c.text))
		var refused *hint.Error
		if !errors.Is(err, ErrPlanFile) || !errors.As(err, &refused) || refused.Hint() == "" {
			t.Errorf("%s: got %v, want a refusal with a way out", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n%v\nhint: %s\n", c.name, err, refused.Hint())
	}
	testkit.Golden(t, "testdata/planfile.txt", got.String())
	for end := 0; end < len(text)-1; end += 7 {
		if _, err := ReadPlan(strings.NewReader(text[:end])); !errors.Is(err, ErrPlanFile) {
			t.Fatalf("cut off after %d bytes: got %v", end, err)
		}
	}
}

// One flipped bit anywhere in the plan's text is noticed.
func TestReadPlanNoticesEveryBit(t *testing.T) {
	text, err := json.Marshal(allKinds())
	if err != nil {
		t.Fatal(err)
	}
	flipped, bits := 0, testkit.Count(t, "bits of each byte", 1, 8)
	for i := range text {
		for b := range bits {
			bit := (i + b) % 8
			flipped++
			text[i] ^= 1 << bit
			if _, err := ReadPlan(bytes.NewReader(text)); err == nil {
				t.Fatalf("bit %d of byte %d (%q) flipped: no error", bit, i, text[max(0, i-20):min(len(text), i+20)])
			}
			text[i] ^= 1 << bit
		}
	}
	t.Logf("%d of %d bits", flipped, 8*len(text))
}

func TestStepsReadLikeSentences(t *testing.T) {
	var got strings.Builder
	for _, step := range allKinds().Steps {
		fmt.Fprintln(&got, step.Change)
	}
	for _, v := range []any{int32(5), int64(-5), 5.0, 0.1, bson.DateTime(0), bson.ObjectID{1}, bson.Binary{Subtype: 4, Data: make([]byte, 16)}, bson.Binary{Data: []byte{1}}, nil, true, bson.MaxKey{}} {
		fmt.Fprintln(&got, shardkey.Format(document(bson.D{{Key: "v", Value: v}})))
	}
	testkit.Golden(t, "testdata/changes.txt", got.String())
}
