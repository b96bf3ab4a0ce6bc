package container

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	docker "github.com/moby/moby/api/types/container"
	mobynetwork "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/geoshard/geoshard/cluster/container/internal/box"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// A dcNetwork is the Docker network that is a datacenter.
type dcNetwork struct {
	name, id string
	subnet   netip.Prefix
}

func (c *Cluster) openNetworks(ctx context.Context) error {
	c.networks = map[topology.DatacenterID]dcNetwork{}
	for _, dc := range c.roster.Widest().Datacenters {
		made, err := network.New(ctx, network.WithLabels(reapedLabels(c.id)))
		if err != nil {
			return hint.New(fmt.Errorf("make the network of %s: %w", dc.ID, err),
				"Docker has addresses for some 30 networks by default: `docker network prune` removes those that nobody uses")
		}
		seen, err := c.docker.NetworkInspect(ctx, made.ID, client.NetworkInspectOptions{})
		if err != nil {
			return fmt.Errorf("inspect the network of %s: %w", dc.ID, err)
		}
		n := dcNetwork{name: made.Name, id: made.ID}
		for _, part := range seen.Network.IPAM.Config {
			if part.Subnet.Addr().Is4() {
				n.subnet = part.Subnet
			}
		}
		if !n.subnet.IsValid() {
			return fmt.Errorf("the network of %s has no IPv4 addresses", dc.ID)
		}
		c.networks[dc.ID] = n
	}
	return nil
}

// startBox starts the container that all traffic between members goes through.
func (c *Cluster) startBox(ctx context.Context) error {
	program, err := buildBox(ctx, c.docker)
	if err != nil {
		return err
	}
	c.api.Token = rand.Text()
	config, err := json.Marshal(c.boxConfig())
	if err != nil {
		return fmt.Errorf("encode the configuration of the network: %w", err)
	}
	var names, exposed []string
	bindings := mobynetwork.PortMap{}
	publish := func(p int) {
		port := strconv.Itoa(p) + "/tcp"
		exposed = append(exposed, port)
		bindings[mobynetwork.MustParsePort(port)] = []mobynetwork.PortBinding{{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: "0"}}
	}
	publish(box.APIPort)
	for _, m := range c.roster.All() {
		publish(m.controlPort)
		names = append(names, hostName(m.Name))
	}
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithEntrypoint(box.Program), testcontainers.WithCmd(box.ConfigFile), testcontainers.WithLabels(labels(c.id)),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithHostConfigModifier(func(h *docker.HostConfig) { h.PortBindings = bindings }),
		testcontainers.WithAdditionalLifecycleHooks(testcontainers.ContainerLifecycleHooks{PostCreates: []testcontainers.ContainerHook{
			func(ctx context.Context, made testcontainers.Container) error {
				return c.copyInto(ctx, made.GetContainerID(), map[string][]byte{box.Program: program, box.ConfigFile: config})
			},
		}}),
	}
	for _, dc := range c.roster.Widest().Datacenters {
		options = append(options, network.WithNetworkName(names, c.networks[dc.ID].name))
	}
	running, err := testcontainers.Run(ctx, c.image, options...)
	if err != nil {
		return fmt.Errorf("start the network between the datacenters: %w", err)
	}
	return c.findPorts(ctx, running)
}

// copyInto puts executable files into a container. testcontainers' way packs them with gzip, which takes longer than all the rest on a busy machine.
func (c *Cluster) copyInto(ctx context.Context, container string, files map[string][]byte) error {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for path, content := range files {
		header := &tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Size: int64(len(content))}
		err := w.WriteHeader(header)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			return fmt.Errorf("pack %s: %w", path, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack the network's program: %w", err)
	}
	if _, err := c.docker.CopyToContainer(ctx, container, client.CopyToContainerOptions{DestinationPath: "/", Content: &packed}); err != nil {
		return fmt.Errorf("copy the network's program: %w", err)
	}
	return nil
}

func (c *Cluster) boxConfig() box.Config {
	config := box.Config{Token: c.api.Token, APIPort: box.APIPort, Links: c.roster.Widest().Links, Scale: c.scale}
	for _, dc := range c.roster.Widest().Datacenters {
		config.Datacenters = append(config.Datacenters, box.Datacenter{ID: dc.ID, Subnet: c.networks[dc.ID].subnet})
	}
	for _, m := range c.roster.All() {
		config.Members = append(config.Members, box.Member{
			Name: m.Name, DC: m.DC, Port: m.port, ControlPort: m.controlPort,
		})
	}
	return config
}

// findPorts asks Docker for the addresses on this machine that the box's ports were published at.
func (c *Cluster) findPorts(ctx context.Context, running *testcontainers.DockerContainer) error {
	host, err := running.Host(ctx)
	if err != nil {
		return fmt.Errorf("find the network's host: %w", err)
	}
	seen, err := running.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("find the network's ports: %w", err)
	}
	published := func(p int) (string, error) {
		bound := seen.NetworkSettings.Ports[mobynetwork.MustParsePort(strconv.Itoa(p)+"/tcp")]
		if len(bound) == 0 {
			return "", fmt.Errorf("port %d of the network between the datacenters is not published", p)
		}
		return net.JoinHostPort(host, bound[0].HostPort), nil
	}
	var problems []error
	c.api.Address, err = published(box.APIPort)
	problems = append(problems, err)
	for _, m := range c.roster.All() {
		m.control, err = published(m.controlPort)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// BoxEnv names the environment variable with the path of the box's program, for where the go command is not: it is built from
// cluster/container/box with CGO_ENABLED=0 GOOS=linux.
const BoxEnv = "GEOSHARD_CONTAINER_BOX"

const boxPackage = "github.com/geoshard/geoshard/cluster/container/box"

// boxes are the programs that this process has built, by processor.
var boxes struct {
	mu    sync.Mutex
	built map[string][]byte // guarded by mu
}

// buildBox returns the box's program for the daemon's machine.
func buildBox(ctx context.Context, api client.APIClient) ([]byte, error) {
	if path := os.Getenv(BoxEnv); path != "" {
		return os.ReadFile(path)
	}
	info, err := api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, fmt.Errorf("ask for the daemon's machine: %w", err)
	}
	arch := cmp.Or(map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[info.Info.Architecture], info.Info.Architecture)
	boxes.mu.Lock()
	defer boxes.mu.Unlock()
	if boxes.built[arch] == nil {
		program, err := buildBoxFor(ctx, arch)
		if err != nil {
			return nil, err
		}
		boxes.built = map[string][]byte{arch: program}
	}
	return boxes.built[arch], nil
}

func buildBoxFor(ctx context.Context, arch string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "geoshard-box-")
	if err != nil {
		return nil, fmt.Errorf("build the network's program: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "box")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, boxPackage)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, hint.New(fmt.Errorf("build the network's program: %w\n%s", err, bytes.TrimSpace(out)),
			"it is built with the go command, in the module that the tests belong to; or name a program that was built before by "+BoxEnv)
	}
	return os.ReadFile(path)
}
