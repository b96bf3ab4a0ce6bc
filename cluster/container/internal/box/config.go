package box

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/geoshard/geoshard/topology"
)

// Where the program and its configuration are in its container.
const (
	Program    = "/geoshard-box"
	ConfigFile = "/geoshard-box.json"
	// APIPort is where the client speaks to it, in its container.
	APIPort = 28000
)

// A Config says what a box connects.
type Config struct {
	// Token is what the client has to show.
	Token string
	// APIPort is where the box listens for it.
	APIPort     int
	Datacenters []Datacenter
	Links       []topology.Link
	// Scale multiplies all round-trip times; see wan.Options.
	Scale   float64
	Members []Member
}

// A Datacenter is one of Docker's networks.
type Datacenter struct {
	ID     topology.DatacenterID
	Subnet netip.Prefix
}

// A Member is a process in a container.
type Member struct {
	Name string
	DC   topology.DatacenterID
	// Port is where it listens and the other members find it, ControlPort where this machine does.
	Port, ControlPort int
}

func readConfig(path string) (Config, error) {
	var c Config
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("decode %s: %w", path, err)
	}
	if c.Token == "" || len(c.Datacenters) == 0 {
		return c, errors.New("the configuration has no token or no datacenters")
	}
	return c, nil
}

// datacenterOf finds the network that an address belongs to.
func (c Config) datacenterOf(address netip.Addr) (topology.DatacenterID, bool) {
	for _, dc := range c.Datacenters {
		if dc.Subnet.Contains(address.Unmap()) {
			return dc.ID, true
		}
	}
	return "", false
}
