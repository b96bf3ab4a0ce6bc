package demo

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/geoshard/geoshard/router"
	"github.com/geoshard/geoshard/topology"
)

// A Way is what an answer's headers tell of the way of its request, where the gateway was asked to explain.
type Way struct {
	// To is the datacenter whose shop served it, Owner the home of the record.
	To, Owner topology.DatacenterID
	// Mode and Reason are the gateway's: what became of the request, and the rule that decided.
	Mode, Reason string
	// ServedBy is the shop's own word on who answered in the database.
	ServedBy string
	// Database is what the shop waited for the database, in milliseconds.
	Database float64
	// Tries is how often the gateway sent the request.
	Tries int
}

// WayOf reads an answer's headers. What they do not tell stays zero.
func WayOf(h http.Header) Way {
	w := Way{
		To: topology.DatacenterID(h.Get(router.HeaderDatacenter)), Owner: topology.DatacenterID(h.Get(router.HeaderOwner)),
		Mode: h.Get(router.HeaderMode), Reason: h.Get(router.HeaderReason), ServedBy: h.Get("X-Served-By"),
	}
	for _, line := range h.Values("Server-Timing") { // from the shop and from the gateway: db;dur=1.8, tries;desc=2
		for entry := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(entry), ";")
			_, value, _ = strings.Cut(value, "=")
			switch name {
			case "db":
				w.Database, _ = strconv.ParseFloat(value, 64)
			case "tries":
				w.Tries, _ = strconv.Atoi(value)
			}
		}
	}
	return w
}
