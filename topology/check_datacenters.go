package topology

import (
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// maxVotes is MongoDB's limit of voting members in a replica set. It also bounds the members of a shard, because every member
// votes (MongoDB's other limit, 50 members, is out of reach), and the datacenters, because each holds a member of the config
// servers' replica set.
const maxVotes = 7

func (c *checker) datacenters() {
	seen := map[string]string{}
	served := map[string]DatacenterID{}
	endpoints := map[string]DatacenterID{}
	active := 0
	for _, dc := range c.Datacenters {
		path := "datacenters" + step(dc.ID)
		if dc.Role == RoleActive {
			active++
		}
		c.id(path, string(dc.ID), seen)
		if !c.sound(path) {
			continue
		}
		c.datacenter(path, dc)
		c.countries(path+".countries", dc, served)
		c.endpoint(path+".endpoint", dc, endpoints)
	}
	switch {
	case !c.sound("datacenters"):
	case active == 0:
		c.errorf("datacenters", "", "no datacenter is active")
	case len(c.Datacenters) > maxVotes:
		c.errorf("datacenters", "", "%d datacenters: the config servers' replica set has a member in each and at most %d votes", len(c.Datacenters), maxVotes)
	}
}

func (c *checker) datacenter(path string, dc Datacenter) {
	c.named(path+".role", "role", dc.Role)
	if !printable(dc.Name) {
		c.errorf(path+".name", "", "name %q cannot be printed", excerpt(dc.Name))
	}
	// The negated forms refuse NaN as well.
	if at := dc.At; at != nil && (!(math.Abs(at.Lat) <= 90) || !(math.Abs(at.Long) <= 180)) {
		c.errorf(path+".at", "latitude comes first: -90 to 90; then longitude: -180 to 180", "[%v, %v] is no place on Earth", at.Lat, at.Long)
	}
}

// countries checks codes, and that a country has one datacenter to go to.
func (c *checker) countries(path string, dc Datacenter, served map[string]DatacenterID) {
	if dc.Role == RoleVoter && len(dc.Countries) > 0 {
		c.errorf(path, "leave out countries", "a voter datacenter serves no users")
	}
	for i, code := range dc.Countries {
		path := at(path, i)
		region, err := language.ParseRegion(code)
		official := region.Canonicalize().String()
		switch other, taken := served[code]; {
		case err != nil || !region.IsCountry():
			c.errorf(path, "use ISO 3166-1 codes of two letters, such as GB", "%q is not a country", excerpt(code))
		case official != code:
			c.errorf(path, "write "+official, "%q is not the ISO 3166-1 code of two letters", code)
		case taken && other == dc.ID:
			c.errorf(path, "keep one of them", "country %s comes twice", code)
		case taken:
			c.errorf(path, "keep one of them", "country %s is served by %s already", code, other)
		}
		served[code] = dc.ID
	}
}

func (c *checker) endpoint(path string, dc Datacenter, taken map[string]DatacenterID) {
	if dc.Endpoint == "" {
		return
	}
	if dc.Role == RoleVoter {
		c.errorf(path, "leave out endpoint", "a voter datacenter has no gateway")
		return
	}
	c.baseURL(path, "endpoint", dc.Endpoint, "http://127.0.0.1:8081")
	key := strings.TrimRight(dc.Endpoint, "/")
	if other, ok := taken[key]; ok {
		c.errorf(path, "give each datacenter its own", "%s is the endpoint of %s already", dc.Endpoint, other)
	}
	taken[key] = dc.ID
}

func (c *checker) links() {
	seen := map[[2]DatacenterID]bool{}
	for i, link := range c.Links {
		path := at("links", i)
		a, b := link.Between[0], link.Between[1]
		if !c.sound(path) {
			continue
		}
		knownA, knownB := c.knownDatacenter(path+".between[0]", a), c.knownDatacenter(path+".between[1]", b)
		switch {
		case !knownA || !knownB:
		case a == b:
			c.errorf(path+".between", "", "a link of %s with itself: there is no delay inside a datacenter", a)
		case seen[link.Between]:
			c.errorf(path, "keep one of them", "the link between %s and %s comes twice", a, b)
		}
		seen[[2]DatacenterID{a, b}], seen[[2]DatacenterID{b, a}] = true, true
		c.link(path, link)
	}
	if c.sound("links") && c.sound("datacenters") {
		c.missingLinks()
	}
}

func (c *checker) link(path string, link Link) {
	switch floor := c.floor(link); {
	case link.RTT <= 0:
		c.errorf(path+".rtt", "", "round-trip time %v: want more than 0", link.RTT)
	case link.Jitter < 0 || link.Jitter > link.RTT/2:
		c.errorf(path+".jitter", "", "jitter %v: want 0 to %v, the delay of one direction", link.Jitter, link.RTT/2)
	case link.RTT < floor:
		c.warnf(path+".rtt", "", "%v is faster than light in fibre between %s and %s, which takes %v", link.RTT, link.Between[0], link.Between[1], floor)
	}
	if link.Bandwidth < 0 {
		c.errorf(path+".bandwidth", "", "bandwidth %d is below 0", int64(link.Bandwidth))
	}
}

func (c *checker) missingLinks() {
	for i, a := range c.Datacenters {
		for _, b := range c.Datacenters[i+1:] {
			if _, linked := c.Link(a.ID, b.ID); !linked {
				c.errorf("links", fmt.Sprintf("add {between: [%s, %s], rtt: …}", a.ID, b.ID), "no link between %s and %s", a.ID, b.ID)
			}
		}
	}
}

const (
	earthRadius = 6371 // km, mean
	// fibreSpeed is the speed of light in glass (refractive index 1.468), in km per millisecond.
	fibreSpeed = 204.2
)

// floor is the shortest round trip that light in fibre allows along the great circle; 0 where a position is not declared.
func (c *checker) floor(link Link) time.Duration {
	a, _ := c.Datacenter(link.Between[0])
	b, _ := c.Datacenter(link.Between[1])
	if a.At == nil || b.At == nil {
		return 0
	}
	ms := 2 * greatCircle(*a.At, *b.At) / fibreSpeed
	return time.Duration(ms * float64(time.Millisecond)).Truncate(100 * time.Microsecond)
}

// greatCircle is the distance in km, by the haversine formula.
func greatCircle(a, b Coordinates) float64 {
	const radian = math.Pi / 180
	hav := func(degrees float64) float64 { return math.Pow(math.Sin(degrees*radian/2), 2) }
	h := hav(b.Lat-a.Lat) + math.Cos(a.Lat*radian)*math.Cos(b.Lat*radian)*hav(b.Long-a.Long)
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}
