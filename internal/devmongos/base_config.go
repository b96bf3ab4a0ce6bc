package devmongos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/geoshard/geoshard/topology"
)

// ErrVersion is returned by Run when a server is not a mongod 6.0.x.
var ErrVersion = errors.New("unsupported server version")

// ErrForeignCore is returned by Run when the core belongs to another cluster, or is one of the shards.
var ErrForeignCore = errors.New("core is not free")

const (
	// The limits of every server since 3.6.
	maxDocumentSize = 16 << 20
	maxWriteBatch   = 100_000

	// dialTimeout bounds one attempt to connect: longer than any round trip between datacenters, shorter than an election.
	dialTimeout = 3 * time.Second
	// defaultMaxConnections is enough for any development load and keeps a leaking client from taking the machine with it.
	defaultMaxConnections = 10_000
	// defaultFailoverBudget is how long a mongos looks for a primary, and longer than two elections with the server's defaults.
	defaultFailoverBudget = 20 * time.Second
	// defaultStopGrace lets commands that run at the stop finish; longer ones are cut off.
	defaultStopGrace = 2 * time.Second
)

// Config says what Run serves.
type Config struct {
	// Listen is the address for clients, host:port. Required.
	Listen string
	// Name appears in the log; empty means the name of the core's replica set.
	Name string
	// DC is the datacenter the router stands in; it appears in the log.
	DC topology.DatacenterID
	// ConfigServers is the config servers' replica set as "name/host:port,host:port". Required.
	ConfigServers string
	// Core is host:port of a mongod started with --shardsvr and a replica set of its own; Run makes a blank one into its
	// router core, and takes one that already is. Required.
	Core string
	// KeyFile is the path of the keyfile by which the cluster's processes know each other; then clients have to log in by SCRAM. Empty
	// means no authentication.
	KeyFile string
	// CertificateKeyFile is the path of the router's certificate with its key, CAFile that of the authority of the members' certificates,
	// both PEM; then all connections are TLS. Empty means no TLS.
	CertificateKeyFile, CAFile string
	// MaxConnections is how many clients are served at once; more are turned away. 0 means 10,000.
	MaxConnections int
	// FailoverBudget is how long a command without maxTimeMS waits for a shard to have a primary. 0 means 20 s.
	FailoverBudget time.Duration
	// StopGrace is how long commands may go on after the stop. 0 means 2 s.
	StopGrace time.Duration

	// Logger receives starts, elections and refreshes; nil means slog.Default.
	Logger *slog.Logger
	// Dial opens connections to members; nil means a plain TCP connection.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (c Config) withDefaults() (Config, error) {
	set, hosts, ok := strings.Cut(c.ConfigServers, "/")
	switch {
	case c.Listen == "":
		return c, errors.New("check devmongos configuration: Listen is empty")
	case c.Core == "":
		return c, errors.New("check devmongos configuration: Core is empty")
	case !ok || set == "" || hosts == "":
		return c, fmt.Errorf("check devmongos configuration: ConfigServers is %q, want name/host:port", c.ConfigServers)
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = defaultMaxConnections
	}
	if c.FailoverBudget == 0 {
		c.FailoverBudget = defaultFailoverBudget
	}
	if c.StopGrace == 0 {
		c.StopGrace = defaultStopGrace
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return c, nil
}
