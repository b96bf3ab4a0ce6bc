package container

import (
	"fmt"
	"time"

	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
)

// What a cluster is like unless options say otherwise.
const (
	DefaultPreset = "nyc-lon-syd"
	DefaultImage  = "mongo:8"
	// DefaultElectionTimeout is a fifth of MongoDB's own 10 s, so that tests of a failover are short.
	DefaultElectionTimeout = 2 * time.Second
)

type settings struct {
	name            string
	world, grown    *topology.Topology
	image           string
	scale           float64
	electionTimeout time.Duration
	progress        func(text string)
	err             error
}

// An Option says what a cluster is to be like.
type Option func(*settings)

// WithPreset takes the world of a preset, as `geoshard init --help` lists them.
func WithPreset(name string) Option {
	return func(s *settings) {
		text, err := configs.Read(name)
		if err != nil {
			s.err = err
			return
		}
		s.world, s.err = topology.Parse(name, text)
	}
}

// WithTopology takes a world of your own, as topology.Parse reads it.
func WithTopology(world *topology.Topology) Option { return func(s *settings) { s.world = world } }

// WithGrowth says what Cluster.Grow makes of the world: the same with more datacenters, shards or members. Networks and addresses are laid out for all of it at the
// start.
func WithGrowth(grown *topology.Topology) Option { return func(s *settings) { s.grown = grown } }

// WithImage names the image; it has to have mongod and mongos.
func WithImage(name string) Option { return func(s *settings) { s.image = name } }

// WithName is the name that the cluster's status shows; the default is the cluster's own ID.
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithWANScale multiplies every round-trip time; negative means no delays at all. The default is 1.
func WithWANScale(scale float64) Option { return func(s *settings) { s.scale = scale } }

// WithElectionTimeout is the replica sets' electionTimeoutMillis.
func WithElectionTimeout(d time.Duration) Option { return func(s *settings) { s.electionTimeout = d } }

// WithProgress hears what the start has reached. It is called from one goroutine at a time and must not block.
func WithProgress(hear func(text string)) Option {
	return func(s *settings) {
		if hear != nil {
			s.progress = hear
		}
	}
}

func settingsOf(options []Option) (settings, error) {
	s := settings{image: DefaultImage, scale: 1, electionTimeout: DefaultElectionTimeout, progress: func(string) {}}
	for _, o := range options {
		o(&s)
		if s.err != nil {
			return s, fmt.Errorf("run cluster in containers: %w", s.err)
		}
	}
	if s.world == nil {
		WithPreset(DefaultPreset)(&s)
	}
	return s, s.err
}
