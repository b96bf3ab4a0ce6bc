package demo

import (
	"cmp"
	"fmt"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/wan"
)

// A lookout counts what is sent over the links about some carts: by gateways to shops, and by query routers and clients to members. It knows a cart by its identifier,
// which is in each request and in each command for it. What members copy from each other is no request, and does not count.
type lookout struct{ links, cluster *wan.Watch }

func (p *play) lookout(baskets ...*basket) *lookout {
	var about []string
	for _, b := range baskets {
		about = append(about, idOf(b.newest()))
	}
	return &lookout{links: p.world.cluster.links.Watch(about...), cluster: p.world.cluster.Watch(about...)}
}

func (l *lookout) close() {
	l.links.Close()
	l.cluster.Close()
}

// seen is how often something about the carts was sent over a link, and one of the ways that it took.
func (l *lookout) seen() (n int, way string) {
	for _, w := range []*wan.Watch{l.links, l.cluster} {
		for c, times := range w.Seen() {
			if program(c.Source) {
				n, way = n+times, fmt.Sprintf("%s to %s in %s", cmp.Or(c.Source, "a client in "+string(c.From)), c.Target, c.To)
			}
		}
	}
	return n, way
}

// program reports whether a source is no member of a shard or of the config servers: a query router, or a client of the network's own.
func program(source string) bool { return source == "" || cluster.RoutesQueries(source) }

// stays sends one request about a cart, and checks that nothing of it crossed a link.
func (p *play) stays(of string, b *basket, do func() (client.Answer, error)) (client.Answer, error) {
	l := p.lookout(b)
	defer l.close()
	a, err := do()
	if err == nil {
		n, way := l.seen()
		p.check("what crossed a link "+of, n == 0, crossings(n, way), 0)
	}
	return a, err
}

func crossings(n int, way string) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, one from %s", n, way)
}
