package client

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// An Exchange is a request and what its answer said of itself.
type Exchange struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	// From is the datacenter of the client and its gateway, To the one whose shop served the request, Owner the home of the record.
	From  topology.DatacenterID `json:"from"`
	To    topology.DatacenterID `json:"to,omitempty"`
	Owner topology.DatacenterID `json:"owner,omitempty"`
	// Mode and Reason are the gateway's: what became of the request, and the rule that decided.
	Mode   string `json:"mode,omitempty"`
	Reason string `json:"reason,omitempty"`
	// ServedBy is the shop's own word on who answered in the database: datacenter, server, role, bound of its age.
	ServedBy string `json:"servedBy,omitempty"`
	// Member is the member of the shard that this comes to; empty where the shop cannot know it. Callers know it.
	Member string `json:"member,omitempty"`
	// Took is what the client waited, Tries how often the gateway sent the request.
	Took  cluster.Duration `json:"took"`
	Tries int              `json:"tries,omitempty"`
	// Database is what the shop waited for the database, in milliseconds.
	Database float64 `json:"-"`
}

// read takes what an answer's headers tell of its way. What they do not tell stays zero.
func (x *Exchange) read(h http.Header) {
	x.To, x.Owner = topology.DatacenterID(h.Get(router.HeaderDatacenter)), topology.DatacenterID(h.Get(router.HeaderOwner))
	x.Mode, x.Reason, x.ServedBy = h.Get(router.HeaderMode), h.Get(router.HeaderReason), h.Get("X-Served-By")
	for _, line := range h.Values("Server-Timing") { // from the shop and from the gateway: db;dur=1.8, tries;desc=2
		for entry := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(entry), ";")
			_, value, _ = strings.Cut(value, "=")
			switch name {
			case "db":
				x.Database, _ = strconv.ParseFloat(value, 64)
			case "tries":
				x.Tries, _ = strconv.Atoi(value)
			}
		}
	}
}
