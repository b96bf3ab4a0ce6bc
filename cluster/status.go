package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// A Status is what the members of a cluster said when they were asked. It encodes to JSON.
type Status struct {
	Name string `json:"name"`
	// Taken is when the members were asked; Started is when the cluster was (zero when the provider cannot know).
	Taken   time.Time `json:"taken"`
	Started time.Time `json:"started,omitzero"`
	// ServerVersion is the version of the database servers, for example "6.0.5"; empty when none answered.
	ServerVersion string      `json:"serverVersion,omitempty"`
	QueryRouter   QueryRouter `json:"queryRouter"`
	// Access says how clients get in; nil when everybody does.
	Access *Access `json:"access,omitempty"`
	// Members are in the order of the topology: shards, then config servers, then query routers.
	Members []Member `json:"members"`
	// Links are the present values, faults included; empty when the provider has no control of the network.
	Links []Link `json:"links,omitempty"`
	// Faults are the present faults in the form that the wan package parses, for example "cut NYC LON".
	Faults []string `json:"faults,omitempty"`
}

// A QueryRouter says which program routes the clients' queries.
type QueryRouter struct {
	// Kind is "mongos" or "devmongos".
	Kind    string `json:"kind"`
	Version string `json:"version,omitempty"`
}

// An Access says what a cluster asks of its clients.
type Access struct {
	// Authentication is true when clients have to log in, TLS when they have to encrypt.
	Authentication bool `json:"authentication"`
	TLS            bool `json:"tls"`
}

// A Member is one process of the cluster as it was seen.
type Member struct {
	// Name is SHARD/DC, config/DC or router/DC; see [Cluster].
	Name string `json:"name"`
	// Shard is empty for config servers and query routers.
	Shard      topology.ShardID      `json:"shard,omitempty"`
	Datacenter topology.DatacenterID `json:"datacenter,omitempty"`
	// Host is the address the member advertises, "host:port", without credentials.
	Host  string `json:"host"`
	Role  Role   `json:"role"`
	State State  `json:"state"`
	// Home is true for the member that the topology prefers as its shard's primary.
	Home bool `json:"home,omitempty"`
	// Lag is how far the newest applied operation is behind the primary's; nil when it has no meaning or is not known.
	// An idle primary writes a no-op every 10 s, so a lagging member of an idle shard shows up to that much.
	Lag *Duration `json:"lag,omitempty"`
	// PID is 0 when the process does not run or is not the provider's.
	PID int `json:"pid,omitempty"`
	// Detail explains a state other than up; URIs in it are redacted.
	Detail string `json:"detail,omitempty"`
}

// A Link is the present state of the network path between two datacenters.
type Link struct {
	Between [2]topology.DatacenterID `json:"between"`
	RTT     Duration                 `json:"rtt"`
	Jitter  Duration                 `json:"jitter,omitempty"`
	// Bandwidth is in bytes per second for each direction; 0 means unlimited.
	Bandwidth topology.ByteRate `json:"bandwidth,omitempty"`
	// Cut is true when at least one direction is cut.
	Cut bool `json:"cut,omitempty"`
}

// A Duration prints and encodes as Go writes durations, "1.5s".
type Duration time.Duration

// String returns the form "1.5s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText returns the form "1.5s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the form that MarshalText writes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("parse duration: %w", err)
	}
	*d = Duration(v)
	return nil
}

// Member returns the member of that name.
func (s Status) Member(name string) (Member, bool) {
	for _, m := range s.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// Primary returns the shard's primary, if one was seen: the first of Primaries.
func (s Status) Primary(shard topology.ShardID) (Member, bool) {
	for _, m := range s.Primaries(shard) {
		return m, true
	}
	return Member{}, false
}

// Primaries are the members that hold themselves for the shard's primary, in the order of the topology. During a partition there may be two.
func (s Status) Primaries(shard topology.ShardID) (all []Member) {
	for _, m := range s.Members {
		if m.Shard == shard && m.leads() {
			all = append(all, m)
		}
	}
	return all
}

func (m Member) leads() bool { return m.Role == RolePrimary && m.State == StateUp }

// Whole reports whether every member works and every primary is at home.
func (s Status) Whole() bool {
	return s.PrimariesAtHome() && !slices.ContainsFunc(s.Members, func(m Member) bool { return m.State != StateUp })
}

// PrimariesAtHome reports whether the home member of every shard is its primary, and nobody else holds himself for it.
func (s Status) PrimariesAtHome() bool {
	homes := 0
	for _, m := range s.Members {
		if m.Shard == "" {
			continue
		}
		if m.Home != m.leads() {
			return false
		}
		if m.Home {
			homes++
		}
	}
	return homes > 0
}
