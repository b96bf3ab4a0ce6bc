package local

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/internal/devmongos"
	"github.com/geoshard/geoshard/internal/mongobin"
)

// devmongosKind names the development query router where a mongos would be named.
const devmongosKind = "devmongos"

func queryRouter(tools mongobin.Tools) cluster.QueryRouter {
	if tools.Mongos != "" {
		return cluster.QueryRouter{Kind: "mongos", Version: tools.Version}
	}
	return cluster.QueryRouter{Kind: devmongosKind, Version: tools.Version}
}

// command is what starts a process. cleanUp is called when it has been started.
func (c *Cluster) command(p *process) (_ *exec.Cmd, cleanUp func(), _ error) {
	switch {
	case p.Kind != kindRouter:
		if err := os.MkdirAll(c.dataDir(p), 0o700); err != nil {
			return nil, nil, fmt.Errorf("make data directory of %s: %w", p.Name, err)
		}
		return exec.Command(c.options.Tools.Mongod, c.mongodArguments(p)...), func() {}, nil
	case c.options.Tools.Mongos != "":
		return exec.Command(c.options.Tools.Mongos, c.mongosArguments(p)...), func() {}, nil
	default:
		return c.devmongosCommand(p)
	}
}

func (c *Cluster) mongodArguments(p *process) []string {
	args := append(serverArguments(p), "--dbpath", c.dataDir(p))
	return append(args, p.ServerArguments(c.options.CacheSizeGB, c.options.OplogSizeMB)...)
}

func (c *Cluster) mongosArguments(p *process) []string {
	return append(serverArguments(p), "--configdb", c.configServers())
}

func serverArguments(p *process) []string {
	return append([]string{
		"--bind_ip", "127.0.0.1", "--port", strconv.Itoa(p.realPort()), "--nounixsocket",
		"--logpath", p.log, "--logappend",
		"--setParameter", "diagnosticDataCollectionEnabled=false",
	}, p.security.arguments(p.Name)...)
}

// configServers is the config set in the form that routers take: "config/host:port,host:port".
func (c *Cluster) configServers() string {
	return cluster.ConfigSet + "/" + replica.Hosts(c.members(), cluster.ConfigSet)
}

// devmongosCommand re-executes this program as a query router; see ChildMain.
func (c *Cluster) devmongosCommand(p *process) (*exec.Cmd, func(), error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("find own executable: %w", err)
	}
	core, err := c.process(memberName(cluster.RouterCore, p.DC))
	if err != nil {
		return nil, nil, err
	}
	configuration := devmongos.Config{
		Listen: p.advertised(), Name: p.Name, DC: p.DC, ConfigServers: c.configServers(), Core: core.advertised(),
	}
	if c.security.authenticates() {
		configuration.KeyFile = c.security.KeyFile
	}
	if c.security.encrypts() {
		configuration.CAFile, configuration.CertificateKeyFile = c.security.CAFile, c.security.certificate(p.Name)
	}
	config, err := json.Marshal(configuration)
	if err != nil {
		return nil, nil, fmt.Errorf("encode configuration of %s: %w", p.Name, err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open log of %s: %w", p.Name, err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+childRouter, childConfigEnv+"="+string(config))
	cmd.Stdout, cmd.Stderr = log, log
	return cmd, func() { _ = log.Close() }, nil
}
