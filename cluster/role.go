package cluster

import "github.com/geoshard/geoshard/internal/enum"

// A Role is what a member does in its replica set, or that it is no part of a shard.
type Role int

// The roles. Config servers and query routers keep theirs whatever they do inside their own sets.
const (
	RoleUnknown       Role = iota // not heard
	RolePrimary                   // takes the writes of its shard
	RoleSecondary                 // copies the primary
	RoleArbiter                   // votes and holds no data
	RoleConfig                    // holds the cluster's catalogue
	RoleConfigPrimary             // takes the writes of the catalogue
	RoleRouter                    // a query router
	RoleRouterCore                // the mongod whose router code a devmongos uses
)

var roleNames = []string{"unknown", "primary", "secondary", "arbiter", "config", "config-primary", "router", "router-core"}

// String returns the name that users see, for example "secondary".
func (r Role) String() string { return enum.Name(roleNames, r) }

// MarshalText returns the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the names of the roles.
func (r *Role) UnmarshalText(text []byte) error {
	return enum.Unmarshal("role", roleNames, text, r)
}

// A State says whether a member can do its work.
type State int

// The states.
const (
	StateUnknown     State = iota // not asked
	StateUp                       // answers and does its work
	StateStarting                 // runs, and is starting up, copying or recovering
	StatePaused                   // stopped by Pause: sockets open, no answer
	StateDown                     // no process
	StateUnreachable              // may run, but did not answer in time
)

var stateNames = []string{"unknown", "up", "starting", "paused", "down", "unreachable"}

// String returns the name that users see, for example "paused".
func (s State) String() string { return enum.Name(stateNames, s) }

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the names of the states.
func (s *State) UnmarshalText(text []byte) error {
	return enum.Unmarshal("state", stateNames, text, s)
}
