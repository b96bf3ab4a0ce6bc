package topology_test

const (
	upstreams   = "{NYC: [\"http://127.0.0.1:9081\"], LON: [\"http://127.0.0.1:9082\"], SYD: [\"http://127.0.0.1:9083\"]}"
	sydUpstream = `SYD: ["http://127.0.0.1:9083"]`
)

// router is a slip of the router section, in flow style behind the rest.
func router(name, section string, more ...edit) slip {
	return slip{name, append(more, edit{goal, goal + "\nrouter: " + section})}
}

func routed(name, list string, more ...edit) slip {
	return router(name, "\n  routes: ["+list+"]", more...)
}

var regions = edit{goal, "  crm.people: {key: {region: 1, _id: 1}, zoneBy: region, ranges: [{zone: NYC, values: [us]}]}\n" + goal}

var routerSlips = []slip{
	router("router of defaults", "{}"),
	router("router as a list", "[NYC]"),
	router("misspelt key of the router", "{upstream: "+upstreams+"}"),

	// Which records.
	router("no namespace to route", "{}", edit{"namespaces:\n", ""}, edit{"  shop.carts: {key: {dataCenter: 1, cartId: 1}, zoneBy: dataCenter, unknown: reject}\n", ""}),
	router("one of two namespaces alike", "{}", orders),
	router("one of two namespaces", "{}", regions),
	router("named one of two namespaces", "{namespace: crm.people}", regions),
	router("misspelt namespace of the router", "{namespace: shop.cart}"),
	router("homes that are no strings", "{}", ranges(`{zone: NYC, values: [US, 7]}`)),
	router("homes with a bound that is no string", "{}", ranges(`{zone: NYC, from: !oid "0123456789abcdef01234567"}`)),
	router("a zone at home in two datacenters", "{}", edit{"LON: {shards: [lon]}", "LON: {shards: [lon, nyc]}"}),
	router("an active datacenter without a zone", "{}", edit{sydZone, ""}),

	// Where handles stand.
	router("misspelt place of a handle", "{handle: [cooky, path]}"),
	router("place of a handle twice", "{handle: [path, path]}"),
	router("no place for handles", "{handle: []}"),
	router("handle as text", "{handle: path}"),

	// New records.
	router("unknown default", "{default: NCY}"),
	router("passive default", "{default: SYD}", edit{"name: Sydney,", "name: Sydney, role: passive,"}, edit{sydShard, ""}, edit{sydZone, ""}),

	// Upstreams.
	router("all upstreams", "{upstreams: "+upstreams+"}"),
	router("upstream of nobody", `{upstreams: {NYC: ["http://127.0.0.1:9081"], LNO: ["http://127.0.0.1:9082"]}}`),
	router("an upstream missing", `{upstreams: {NYC: ["http://127.0.0.1:9081"], LON: ["http://127.0.0.1:9082"]}}`),
	router("upstream without a URL", `{upstreams: {NYC: ["http://127.0.0.1:9081"], LON: ["http://127.0.0.1:9082"], SYD: []}}`),
	router("upstream as text", `{upstreams: {NYC: "http://127.0.0.1:9081", LON: ["http://127.0.0.1:9082"], `+sydUpstream+`}}`),
	router("upstream without a scheme", `{upstreams: {NYC: ["127.0.0.1:9081"], LON: ["http://127.0.0.1:9082"], `+sydUpstream+`}}`),
	router("upstream with a password", `{upstreams: {NYC: ["http://me:secret@127.0.0.1:9081"], LON: ["http://127.0.0.1:9082"], `+sydUpstream+`}}`),
	router("upstream with a query", `{upstreams: {NYC: ["http://127.0.0.1:9081/?a=b"], LON: ["http://127.0.0.1:9082"], `+sydUpstream+`}}`),
	router("upstream twice", `{upstreams: {NYC: ["http://127.0.0.1:9081"], LON: ["http://127.0.0.1:9081/"], `+sydUpstream+`}}`),
	router("upstream of a voter", "{upstreams: "+upstreams+"}", sydVotes, edit{nycMembers, nycVoted}, edit{lonMembers, lonVoted}, edit{sydShard, ""}, edit{sydZone, ""}),

	// Routes.
	routed("routes", `{path: "/v1/carts/{handle}", methods: [GET], class: read}, {path: "/v1/carts", methods: [POST], class: new}, {path: "/{rest...}", class: write}`),
	routed("route without a class", `{path: "/v1/carts"}`),
	routed("route without a path", `{class: read}`),
	routed("unknown class", `{path: "/v1/carts", class: raed}`),
	routed("unknown mode", `{path: "/v1/carts", class: read, mode: direct}`),
	routed("relative path", `{path: "v1/carts", class: read}`),
	routed("path with a query", `{path: "/v1/carts?a=b", class: read}`),
	routed("unclosed wildcard", `{path: "/v1/{handle", class: read}`),
	routed("half a wildcard", `{path: "/v1/cart-{handle}", class: read}`),
	routed("rest in the middle", `{path: "/v1/{rest...}/carts", class: read}`),
	routed("wildcard twice", `{path: "/v1/{handle}/{handle}", class: read}`),
	routed("path that is not clean", `{path: "/v1//carts", class: read}`),
	routed("path with dots", `{path: "/v1/../carts", class: read}`),
	routed("lower-case method", `{path: "/v1/carts", methods: [post], class: new}`),
	routed("no methods", `{path: "/v1/carts", methods: [], class: new}`),
	routed("method twice", `{path: "/v1/carts", methods: [GET, GET], class: read}`),
	routed("route twice", `{path: "/v1/{handle}", class: read}, {path: "/v1/{id}", methods: [POST], class: write}`),
	routed("methods that overlap", `{path: "/v1/carts", methods: [GET, POST], class: read}, {path: "/v1/carts", methods: [POST, PUT], class: write}`),
	routed("HEAD behind GET", `{path: "/v1/carts", methods: [GET], class: write}, {path: "/v1/carts", methods: [HEAD], class: read}`),
	routed("GET behind HEAD", `{path: "/v1/carts", methods: [HEAD], class: read}, {path: "/v1/carts", methods: [GET], class: write}`),
	routed("methods apart", `{path: "/v1/carts", methods: [GET], class: read}, {path: "/v1/carts", methods: [POST], class: new}`),
	routed("route behind a wider one", `{path: "/v1/{rest...}", class: read}, {path: "/v1/carts/{handle}", methods: [POST], class: write}`),
	routed("wider route behind", `{path: "/v1/carts/{handle}", methods: [POST], class: write}, {path: "/v1/{rest...}", class: read}`),
	routed("redirect without an endpoint", `{path: "/v1/carts", class: write, mode: redirect}`, edit{`endpoint: "http://127.0.0.1:8082"`, `role: active`}),

	// The cookie.
	router("cookie", "{cookie: {name: home, maxAge: 24h, secure: false}}"),
	router("cookie with a space", "{cookie: {name: my home}}"),
	router("cookie of no age", "{cookie: {maxAge: 0s}}"),
	router("cookie of an age without unit", "{cookie: {maxAge: 720}}"),
	router("plain cookie of a secure name", "{cookie: {name: __Host-home, secure: false}}"),

	// Trust.
	router("trusted country", `{trust: {proxies: ["10.0.0.0/8", "::1/128"], country: CF-IPCountry, location: ""}}`),
	router("two trusted headers", `{trust: {proxies: ["10.0.0.0/8"], country: CF-IPCountry, location: X-Location}}`),
	router("header of nobody", `{trust: {country: CF-IPCountry}}`),
	router("proxies without a header", `{trust: {proxies: ["10.0.0.0/8"]}}`),
	router("everybody a proxy", `{trust: {proxies: ["0.0.0.0/0"], country: CF-IPCountry}}`),
	router("proxy without its bits", `{trust: {proxies: ["10.0.0.1"], country: CF-IPCountry}}`),
	router("proxy twice", `{trust: {proxies: ["10.0.0.0/8", "10.0.0.0/8"], country: CF-IPCountry}}`),
	router("proxy with bits too many", `{trust: {proxies: ["10.0.0.1/8"], country: CF-IPCountry}}`),
	router("header with a space", `{trust: {proxies: ["10.0.0.0/8"], country: "CF IPCountry"}}`),
	router("header of another meaning", `{trust: {proxies: ["10.0.0.0/8"], location: cookie}}`),

	// Holding.
	router("budget of nothing", "{budget: 0s}"),
	router("budget below nothing", "{budget: -1s}"),
	router("queue of nothing", "{queue: 0}"),
	router("queue in words", "{queue: long}"),
}
