package zones_test

import (
	"net/url"
	"testing"

	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/testkit"
)

// guarded is two datacenters that may not hold each other's documents.
const guarded = `version: 1
datacenters: {NYC: {}, LON: {}}
links: [{between: [NYC, LON], rtt: 76ms}]
shards:
  nyc: {members: [{dc: NYC}]}
  lon: {members: [{dc: LON}]}
zones:
  NYC: {shards: [nyc], allowedDatacenters: [NYC]}
  LON: {shards: [lon], allowedDatacenters: [LON]}
namespaces:
  shop.carts: {key: {dc: 1, id: 1}, zoneBy: dc, unknown: reject}
  shop.stock: {key: {dc: 1, _id: hashed}, zoneBy: dc, unknown: zone, unknownZone: LON, ranges: [{zone: NYC, values: [US, CA]}]}
`

// The whole way with passwords (SCRAM) and certificates (TLS), by what the connection string says alone. And who has no rights is told so.
func TestACatalogueWithPasswordsAndCertificates(t *testing.T) {
	t.Parallel()
	world := parse(t, guarded)
	s := open(t, start(t, world, local.Options{Name: "guarded", Auth: true, TLS: true}))
	r := s.comeTrue(t, world)
	for _, zone := range r.Residency {
		if len(zone.Holders) != 1 || string(zone.Holders[0].Datacenter) != string(zone.Zone) || len(zone.Violations) > 0 {
			t.Errorf("zone %s: got %+v, want it in its own datacenter alone", zone.Zone, zone)
		}
	}
	if run, err := s.Journal().LastDone(t.Context()); err != nil || run == nil || run.Owner == "" {
		t.Errorf("journal: got %+v, %v, want the apply with its owner", run, err)
	}
	s.verifies(t, guarded)
	testkit.Golden(t, "testdata/rights.txt", s.withoutRights(t, world.Datacenters[0].ID))
}

func edit(t *testing.T, uri string, change func(*url.URL, url.Values)) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	change(u, query)
	u.RawQuery = query.Encode()
	return u.String()
}
