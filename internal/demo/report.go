package demo

import (
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/internal/demo/client"
	"github.com/geoshard/geoshard/topology"
)

// A Report is what a story came to. It encodes to JSON.
type Report struct {
	Preset        string              `json:"preset"`
	ServerVersion string              `json:"serverVersion"`
	QueryRouter   cluster.QueryRouter `json:"queryRouter"`
	// Began is when the world was started, Started how long that took, Took how long everything did.
	Began   time.Time        `json:"began"`
	Started cluster.Duration `json:"started"`
	Took    cluster.Duration `json:"took"`
	Steps   []StepReport     `json:"steps"`
	// Checks are those of all steps.
	Checks Tally `json:"checks"`
	// Latencies are what was measured while all was well, Links what was declared.
	Latencies []Latency       `json:"latencies,omitempty"`
	Links     []cluster.Link  `json:"links"`
	Failover  *Failover       `json:"failover,omitempty"`
	Cut       *CutOff         `json:"cut,omitempty"`
	Sales     []SalesReported `json:"sales,omitempty"`
	Writes    Writes          `json:"writes"`
	Reads     Reads           `json:"reads"`
	Residency *Residency      `json:"residency,omitempty"`
	// Broken is the step that was spoilt on purpose; empty if none was.
	Broken string `json:"broken,omitempty"`
	// AllHeld is whether every step was played to its end and every check held.
	AllHeld bool `json:"allHeld"`
}

// A Tally counts checks.
type Tally struct {
	Held   int `json:"held"`
	Failed int `json:"failed"`
}

// A StepReport is what one step came to.
type StepReport struct {
	Name  string           `json:"name"`
	Title string           `json:"title"`
	Took  cluster.Duration `json:"took"`
	Lines []Line           `json:"lines"`
	// Error is why the step broke off; empty if it did not. The story ends there.
	Error string `json:"error,omitempty"`
}

// A Line is one thing that the story tells.
type Line struct {
	Text string `json:"text"`
	// Exchange is the request that the line is about, Took how long something else took that it is about; one of them at most.
	Exchange *client.Exchange `json:"exchange,omitempty"`
	Took     cluster.Duration `json:"took,omitzero"`
	Check    *Check           `json:"check,omitempty"`
}

// A Check compares what came back with what the topology, or an acknowledgement, says.
type Check struct {
	Held bool   `json:"held"`
	Got  string `json:"got"`
	Want string `json:"want"`
}

// A Spread is what was measured of one kind of request.
type Spread struct {
	Count int              `json:"count"`
	Min   cluster.Duration `json:"min"`
	P50   cluster.Duration `json:"p50"`
	Max   cluster.Duration `json:"max"`
	// Crossed is how many of the requests crossed a link between datacenters, Way one of the ways that they took. What members copy from each other does not count.
	Crossed int    `json:"crossed"`
	Way     string `json:"way,omitempty"`
}

// A Latency is what clients of one datacenter waited.
type Latency struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	// Nearest is the round trip to the nearest other datacenter that holds copies.
	Nearest cluster.Duration `json:"nearest"`
	// LocalRead and LocalWrite are of carts at home there; a LocalWrite is acknowledged by one member, a SafeWrite in two datacenters.
	LocalRead  Spread `json:"localRead"`
	LocalWrite Spread `json:"localWrite"`
	SafeWrite  Spread `json:"safeWrite"`
	// Abroad are of carts at home elsewhere.
	Abroad []Abroad `json:"abroad"`
}

// Abroad is what clients waited for carts at home in another datacenter.
type Abroad struct {
	Home topology.DatacenterID `json:"home"`
	RTT  cluster.Duration      `json:"rtt"`
	// Read is from the copy nearby, Write at the home, acknowledged by one member there.
	Read  Spread `json:"read"`
	Write Spread `json:"write"`
}

// A Failover is what the loss of a primary cost.
type Failover struct {
	Shard  topology.ShardID `json:"shard"`
	Killed string           `json:"killed"`
	Next   string           `json:"next"`
	// Elected is from the kill until another primary was seen, Held the longest that a client waited for a write.
	Elected cluster.Duration `json:"elected"`
	Held    cluster.Duration `json:"held"`
	// Foreseen is within what time 99 of 100 elections are foreseen to be over.
	Foreseen cluster.Duration `json:"foreseen"`
	Writes   int              `json:"writes"`
	Errors   int              `json:"errors"`
}

// A CutOff is what the loss of a datacenter cost.
type CutOff struct {
	Datacenter topology.DatacenterID `json:"datacenter"`
	// Held is the longest that a client elsewhere waited for a write to a cart of the lost datacenter, HandedBack from the healing until all primaries were at home.
	Held       cluster.Duration `json:"held"`
	HandedBack cluster.Duration `json:"handedBack"`
}

// SalesReported are one datacenter's totals: by the analytics of every datacenter alike, and by the orders that were acknowledged.
type SalesReported struct {
	DataCenter topology.DatacenterID `json:"datacenter"`
	Currency   string                `json:"currency"`
	Orders     int64                 `json:"orders"`
	Items      int64                 `json:"items"`
	Revenue    int64                 `json:"revenue"`
}

// Writes compares what was acknowledged with what is stored.
type Writes struct {
	Acknowledged int `json:"acknowledged"`
	Carts        int `json:"carts"`
	// Promised are the things that acknowledged writes have put into carts, Stored those that are there. Promised = Stored + Lost - Doubled.
	Promised int `json:"promised"`
	Stored   int `json:"stored"`
	Lost     int `json:"lost"`
	Doubled  int `json:"doubled"`
}

// Reads counts what was read, by whether it was as new as what its reader had seen.
type Reads struct {
	// WithToken reads carried a causal token; Stale are those of them that were older than it.
	WithToken int `json:"withToken"`
	Stale     int `json:"stale"`
	// WithoutToken reads took what there was; Behind are those of them that missed an acknowledged write.
	WithoutToken int `json:"withoutToken"`
	Behind       int `json:"behind"`
}

// A Residency is the proof by documents at the end.
type Residency struct {
	Documents  int64 `json:"documents"`
	Misplaced  int64 `json:"misplaced"`
	Orphans    int64 `json:"orphans"`
	Violations int   `json:"violations"`
}

// Held reports whether the story was played to its end and every check held.
func (r *Report) Held() bool { return r.AllHeld }
