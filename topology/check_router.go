package topology

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/spelling"
)

// RoutedNamespace is the namespace whose records the router routes: the one that the router section names, else the only one. Several that give every
// value the same zone count as one. The error says what to write.
func (t *Topology) RoutedNamespace() (Namespace, error) {
	if t.Router != nil && t.Router.Namespace != "" {
		if ns, ok := t.NamespaceOf(t.Router.Namespace); ok {
			return ns, nil
		}
		return Namespace{}, fmt.Errorf("unknown namespace %q", excerpt(t.Router.Namespace))
	}
	if len(t.Namespaces) == 0 {
		return Namespace{}, fmt.Errorf("no namespace says what a record's home is")
	}
	first := t.Namespaces[0]
	for _, ns := range t.Namespaces[1:] {
		if !sameZones(first, ns) {
			return Namespace{}, fmt.Errorf("the namespaces %s and %s give values different zones", first.Name, ns.Name)
		}
	}
	return first, nil
}

// sameZones reports whether two namespaces give every value the same zone.
func sameZones(a, b Namespace) bool {
	return reflect.DeepEqual(a.Ranges, b.Ranges) && a.OnlyRanges == b.OnlyRanges && a.UnknownZone == b.UnknownZone &&
		(a.Unknown == UnknownToZone) == (b.Unknown == UnknownToZone)
}

func (c *checker) router() {
	r := c.Router
	if r == nil {
		return
	}
	if c.sound("namespaces") && c.sound("router.namespace") {
		c.routedNamespace()
	}
	for i, p := range r.Handle {
		path := at("router.handle", i)
		switch {
		case !c.sound(path):
		case !c.named(path, "place of a handle", p):
		case slices.Contains(r.Handle[:i], p):
			c.errorf(path, "keep one of them", "%s comes twice", p)
		}
	}
	if r.Default != "" && c.knownDatacenter("router.default", r.Default) {
		if role := c.role(r.Default); role != RoleActive {
			c.errorf("router.default", "name an active datacenter", "%s gets no new records: its role is %s", r.Default, role)
		}
	}
	c.upstreams()
	c.routes()
	c.cookie(r.Cookie)
	c.trust(r.Trust)
	if r.Budget < 0 && c.sound("router.budget") {
		c.errorf("router.budget", "", "%v is below 0", r.Budget)
	}
	if r.Queue < 0 && c.sound("router.queue") {
		c.errorf("router.queue", "", "%d is below 0", r.Queue)
	}
}

// routedNamespace checks that each home that a request can name has one owner.
func (c *checker) routedNamespace() {
	const path = "router.namespace"
	ns, err := c.RoutedNamespace()
	names := c.namespaceNames()
	switch {
	case err == nil:
	case c.Router.Namespace != "":
		known(c, path, "namespace", c.Router.Namespace, names)
		return
	case len(names) == 0:
		c.errorf(path, "declare the namespace of the records", "%s", err)
		return
	default:
		c.errorf(path, "write namespace: with one of "+strings.Join(names, ", "), "which namespace to route is ambiguous: %s", err)
		return
	}
	for _, r := range ns.Ranges {
		for _, v := range slices.Concat(r.Values, bounds(r)) {
			if v.Kind() != KindString {
				c.errorf(path, "route a namespace whose values are strings", "the homes of %s are not strings: %s is %s %s", excerpt(ns.Name), ns.ZoneBy, article(v.Kind()), v.Kind())
				return
			}
		}
	}
	if c.sound("zones") && c.sound("shards") {
		c.owners()
	}
}

func article(k Kind) string {
	if k == KindInteger || k == KindObjectID {
		return "an"
	}
	return "a"
}

// owners checks that a home names one datacenter, and warns of active datacenters that no home names.
func (c *checker) owners() {
	owned := map[DatacenterID]bool{}
	for _, z := range c.Zones {
		if _, one := c.OwnerOf(z); !one {
			c.errorf("router", "give each of the shards a zone of its own, or the same home", "the owner of zone %s's records is ambiguous: its shards are at home in %s",
				excerpt(string(z.ID)), spelling.List(each(z.Shards, c.HomeOf)))
		}
		for _, shard := range z.Shards {
			owned[c.HomeOf(shard)] = true
		}
	}
	for _, dc := range c.Datacenters {
		if dc.Role == RoleActive && !owned[dc.ID] {
			c.warnf("router", "declare a zone of its shard", "no new record goes to the active datacenter %s: it owns no zone", dc.ID)
		}
	}
}

// upstreams checks that every datacenter with an application has one, once somebody does.
func (c *checker) upstreams() {
	seen := map[DatacenterID]bool{}
	taken := map[string]DatacenterID{}
	for _, u := range c.Router.Upstreams {
		path := "router.upstreams" + step(u.DC)
		if seen[u.DC] {
			c.errorf(path, "keep one of them", "the datacenter %s comes twice", u.DC)
		}
		seen[u.DC] = true
		if !c.sound(path) || !c.knownDatacenter(path, u.DC) {
			continue
		}
		if c.role(u.DC) == RoleVoter {
			c.errorf(path, "leave it out", "the voter datacenter %s runs no application", u.DC)
		}
		if len(u.URLs) == 0 {
			c.errorf(path, "", "the datacenter %s has no base URL", u.DC)
		}
		for i, text := range u.URLs {
			path := at(path, i)
			c.baseURL(path, "base URL", text, "http://127.0.0.1:9081")
			key := strings.TrimRight(text, "/")
			if other, twice := taken[key]; twice {
				c.errorf(path, "give each datacenter its own", "%s is an upstream of %s already", excerpt(text), other)
			}
			taken[key] = u.DC
		}
	}
	if len(seen) == 0 || !c.sound("router.upstreams") || !c.sound("datacenters") {
		return
	}
	for _, dc := range c.Datacenters {
		if dc.Role != RoleVoter && !seen[dc.ID] {
			c.errorf("router.upstreams", fmt.Sprintf("add %s: [\"http://…\"]", dc.ID), "no upstream for the %s datacenter %s", dc.Role, dc.ID)
		}
	}
}

// reservedHeader is one that means something else already.
var reservedHeader = regexp.MustCompile(`(?i)^(Host|Connection|Transfer-Encoding|Content-Length|Upgrade|Cookie|Authorization)$`)

// trust checks that exactly one header is believed, of peers that are named.
func (c *checker) trust(t Trust) {
	const path = "router.trust"
	for i, text := range t.Proxies {
		path := at(path+".proxies", i)
		network, err := netip.ParsePrefix(text)
		switch {
		case !c.sound(path):
		case err != nil:
			c.errorf(path, "write 10.1.2.3/32 for one address", "%q is not a network such as 10.0.0.0/8", excerpt(text))
		case network.Bits() == 0:
			c.errorf(path, "name the proxies' own networks", "%s is everybody: any client could say where it is", text)
		case network.Masked() != network:
			c.errorf(path, "write "+network.Masked().String(), "%s has bits beyond its mask", text)
		case slices.Contains(t.Proxies[:i], text):
			c.errorf(path, "keep one of them", "%s comes twice", text)
		}
	}
	for key, header := range map[string]string{"country": t.Country, "location": t.Location} {
		if header != "" && (!httpToken.MatchString(header) || reservedHeader.MatchString(header)) {
			c.errorf(path+"."+key, "", "%q cannot be a header for it", excerpt(header))
		}
	}
	named := t.Country != "" || t.Location != ""
	switch {
	case !c.sound(path):
	case t.Country != "" && t.Location != "":
		c.errorf(path+".location", "keep the one that the proxies set themselves", "country and location are both given: whose word counts is ambiguous")
	case named && len(t.Proxies) == 0:
		c.errorf(path, "add proxies: with the networks of those who set the header", "the header of nobody is trusted: there are no proxies")
	case !named && len(t.Proxies) > 0:
		c.errorf(path, "add country: or location: with the header that they set", "the proxies' header is not named")
	}
}

func (c *checker) cookie(k AffinityCookie) {
	if k.Name != "" && !httpToken.MatchString(k.Name) {
		c.errorf("router.cookie.name", "use letters, digits, and - _", "%q cannot be a cookie's name", excerpt(k.Name))
	}
	if k.MaxAge < 0 && c.sound("router.cookie.maxAge") {
		c.errorf("router.cookie.maxAge", "", "%v is below 0", k.MaxAge)
	}
	if strings.HasPrefix(k.Name, "__") && k.PlainHTTP {
		c.errorf("router.cookie.secure", "leave out secure: false", "browsers take %s by TLS alone", excerpt(k.Name))
	}
}

// httpToken is a token of HTTP: the name of a header, a cookie or a method.
var httpToken = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
