package wan

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"github.com/geoshard/geoshard/topology"
)

// A Crossing is that something was sent over a link.
type Crossing struct {
	From, To topology.DatacenterID
	// Source is the member that sent it, empty for a client; Target is the one whose front it was sent to.
	Source, Target string
	// Text is which of the watched ones it held.
	Text string
}

// A Watch counts what is sent over the links and holds one of some texts, such as the key of a record: who sent it tells a program's request from the copying between
// members. It sees what is not compressed or encrypted, and the way there alone, not answers. Close it when done.
type Watch struct {
	network *Network
	texts   []string

	mu    sync.Mutex
	count map[Crossing]int // guarded by mu
}

// Watch begins to count. What was sent before does not count.
func (n *Network) Watch(texts ...string) *Watch {
	w := &Watch{network: n, texts: slices.Clone(texts), count: map[Crossing]int{}}
	n.watching(func(all []*Watch) []*Watch { return append(all, w) })
	return w
}

// Seen is how often each crossing was seen so far. What was sent before the answer to it came is in it.
func (w *Watch) Seen() map[Crossing]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.count)
}

// Close ends the counting. It is idempotent.
func (w *Watch) Close() {
	w.network.watching(func(all []*Watch) []*Watch { return slices.DeleteFunc(all, func(one *Watch) bool { return one == w }) })
}

// watching replaces the watches; a circuit that reads them meanwhile has the old ones.
func (n *Network) watching(change func([]*Watch) []*Watch) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := change(slices.Clone(*n.watches.Load()))
	n.watches.Store(&all)
}

// mostText is how long a text may be of which one part is in one chunk and the rest in the next.
const mostText = 64

// A watcher finds texts in the bytes of one circuit.
type watcher struct{ tail []byte }

// sees counts what a chunk holds; a text that began in the chunk before is found too.
func (s *watcher) sees(chunk []byte, c *circuit) {
	all := *c.network.watches.Load()
	r := c.route.Load()
	if len(all) == 0 || r.from == c.front.dc {
		s.tail = nil
		return
	}
	joined := slices.Concat(s.tail, chunk)
	for _, w := range all {
		for _, text := range w.texts {
			from := max(0, len(s.tail)-len(text)+1) // the whole of it was not in the chunk before
			if n := bytes.Count(joined[from:], []byte(text)); n > 0 {
				w.note(Crossing{From: c.network.now.datacenters[r.from], To: c.network.now.datacenters[c.front.dc], Source: r.member, Target: c.front.member, Text: text}, n)
			}
		}
	}
	s.tail = bytes.Clone(joined[max(0, len(joined)-mostText):])
}

func (w *Watch) note(what Crossing, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count[what] += n
}
