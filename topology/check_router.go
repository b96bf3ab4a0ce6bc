package topology

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/geoshard/geoshard/internal/enum"
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
		path := fmt.Sprintf("router.handle[%d]", i)
		switch {
		case !c.sound(path):
		case enum.Name(handleNames, p) == "unknown":
			c.errorf(path, "", "place of a handle %d is not known", p)
		case slices.Contains(r.Handle[:i], p):
			c.errorf(path, "keep one of them", "%s comes twice", p)
		}
	}
	if r.Default != "" && c.knownDatacenter("router.default", r.Default) {
		if dc, _ := c.Datacenter(r.Default); dc.Role != RoleActive {
			c.errorf("router.default", "name an active datacenter", "%s gets no new records: its role is %s", r.Default, dc.Role)
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
	names := each(c.Namespaces, func(n Namespace) string { return n.Name })
	switch {
	case err == nil:
	case c.Router.Namespace != "":
		unknown(c, path, "namespace", c.Router.Namespace, names)
		return
	case len(names) == 0:
		c.errorf(path, "declare the namespace of the records", "%s", err)
		return
	default:
		c.errorf(path, "write namespace: with one of "+strings.Join(names, ", "), "which namespace to route is ambiguous: %s", err)
		return
	}
	for _, r := range ns.Ranges {
		for _, v := range append(slices.Clone(r.Values), bounds(r)...) {
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

// bounds are the bounds that a range has.
func bounds(r Range) []Value {
	var list []Value
	for _, b := range []*Value{r.From, r.To} {
		if b != nil {
			list = append(list, *b)
		}
	}
	return list
}

// owners checks that a home names one datacenter, and warns of active datacenters that no home names.
func (c *checker) owners() {
	owned := map[DatacenterID]bool{}
	for _, z := range c.Zones {
		if _, one := c.OwnerOf(z); !one {
			homes := each(z.Shards, func(s ShardID) string { return string(c.HomeOf(s)) })
			c.errorf("router", "give each of the shards a zone of its own, or the same home", "the owner of zone %s's records is ambiguous: its shards are at home in %s",
				excerpt(string(z.ID)), strings.Join(homes, ", "))
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
		path := "router.upstreams" + step(string(u.DC))
		if seen[u.DC] {
			c.errorf(path, "keep one of them", "the datacenter %s comes twice", u.DC)
		}
		seen[u.DC] = true
		if !c.sound(path) || !c.knownDatacenter(path, u.DC) {
			continue
		}
		if dc, _ := c.Datacenter(u.DC); dc.Role == RoleVoter {
			c.errorf(path, "leave it out", "the voter datacenter %s runs no application", u.DC)
		}
		if len(u.URLs) == 0 {
			c.errorf(path, "", "the datacenter %s has no base URL", u.DC)
		}
		for i, text := range u.URLs {
			path := fmt.Sprintf("%s[%d]", path, i)
			c.baseURL(path, text)
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

// baseURL checks the address of an application: what is put before a request's path.
func (c *checker) baseURL(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || !printable(text):
		c.errorf(path, "", "%q is not a base URL such as http://127.0.0.1:9081", excerpt(text))
	case u.User != nil:
		// The URL itself stays out of the message: it holds a secret.
		c.errorf(path, "take user and password out", "the base URL holds credentials")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		c.errorf(path, "", "%q has a query or a fragment, which a base URL cannot have", excerpt(text))
	}
}

// reservedHeaders mean something else already.
var reservedHeaders = []string{"Host", "Connection", "Transfer-Encoding", "Content-Length", "Upgrade", "Cookie", "Authorization"}

// trust checks that exactly one header is believed, of peers that are named.
func (c *checker) trust(t Trust) {
	const path = "router.trust"
	for i, text := range t.Proxies {
		path := fmt.Sprintf("%s.proxies[%d]", path, i)
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
		if header != "" && (!httpToken(header) || slices.ContainsFunc(reservedHeaders, func(h string) bool { return strings.EqualFold(h, header) })) {
			c.errorf(path+"."+key, "", "%q cannot be a header for it", excerpt(header))
		}
	}
	switch {
	case !c.sound(path):
	case t.Country != "" && t.Location != "":
		c.errorf(path+".location", "keep the one that the proxies set themselves", "country and location are both given: whose word counts is ambiguous")
	case len(t.Proxies) == 0 && (t.Country != "" || t.Location != ""):
		c.errorf(path, "add proxies: with the networks of those who set the header", "the header of nobody is trusted: there are no proxies")
	case len(t.Proxies) > 0 && t.Country == "" && t.Location == "":
		c.errorf(path, "add country: or location: with the header that they set", "the proxies' header is not named")
	}
}

func (c *checker) cookie(k AffinityCookie) {
	if k.Name != "" && !httpToken(k.Name) {
		c.errorf("router.cookie.name", "use letters, digits, and - _", "%q cannot be a cookie's name", excerpt(k.Name))
	}
	if k.MaxAge < 0 && c.sound("router.cookie.maxAge") {
		c.errorf("router.cookie.maxAge", "", "%v is below 0", k.MaxAge)
	}
	if strings.HasPrefix(k.Name, "__") && k.PlainHTTP {
		c.errorf("router.cookie.secure", "leave out secure: false", "browsers take %s by TLS alone", excerpt(k.Name))
	}
}

// httpToken reports whether a text is a token of HTTP: the name of a header, a cookie or a method.
func httpToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	})
}
