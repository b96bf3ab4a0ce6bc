package local

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/internal/devmongos"
	"github.com/geoshard/geoshard/internal/mongobin"
)

// devmongosKind names the development query router where a mongos would be named.
const devmongosKind = "devmongos"

func queryRouter(tools mongobin.Tools) cluster.QueryRouter {
	router := cluster.QueryRouter{Kind: devmongosKind, Version: tools.Version}
	if tools.Mongos != "" {
		router.Kind = "mongos"
	}
	return router
}

// command is what starts a process. A log file that it writes to is closed here when it has been started.
func (c *Cluster) command(p *process) (*exec.Cmd, error) {
	if p.Kind == layout.Router {
		return c.routerCommand(p)
	}
	if err := os.MkdirAll(c.dataDir(p), 0o700); err != nil {
		return nil, fmt.Errorf("make data directory of %s: %w", p.Name, err)
	}
	args := append(serverArguments(p), "--dbpath", c.dataDir(p))
	if p.Kind == layout.Core {
		args = append(args, devmongos.CoreArguments()...)
	}
	args = append(args, p.ServerArguments(c.options.CacheSizeGB, c.options.OplogSizeMB)...)
	return exec.Command(c.options.Tools.Mongod, args...), nil
}

// routerCommand starts mongos, or where there is none this program with the same command line; see ChildMain.
func (c *Cluster) routerCommand(p *process) (*exec.Cmd, error) {
	arguments := slices.Concat(serverArguments(p), layout.RouterArguments(), []string{"--configdb", replica.ConfigServers(c.roster.Members())})
	if c.options.Tools.Mongos != "" {
		return exec.Command(c.options.Tools.Mongos, arguments...), nil
	}
	cmd, err := childCommand(childRouter, arguments...)
	if err != nil {
		return nil, err
	}
	core, err := c.roster.Member(layout.MemberName(cluster.RouterCore, p.DC))
	if err != nil {
		return nil, err
	}
	place, _ := json.Marshal(devmongos.Place{Name: p.Name, DC: p.DC, Core: core.Advertised()}) // it is made of texts
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", p.Name, err)
	}
	cmd.Env = append(cmd.Env, childConfigEnv+"="+string(place))
	cmd.Stdout, cmd.Stderr = log, log // for what a Go program says when it ends by itself
	return cmd, nil
}

func serverArguments(p *process) []string {
	return append([]string{
		"--bind_ip", "127.0.0.1", "--port", strconv.Itoa(p.realPort()), "--nounixsocket",
		"--logpath", p.log, "--logappend",
		"--setParameter", "diagnosticDataCollectionEnabled=false",
	}, p.security.arguments(p.Name)...)
}
