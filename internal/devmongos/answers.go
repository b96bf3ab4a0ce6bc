package devmongos

import (
	"context"
	"maps"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// answers tell of the router itself.
type answers struct {
	cfg     Config
	core    *core
	logins  *logins
	clients *clientCount
	// known are all commands.
	known map[string]handler
}

// What belongs to the program or the machine rather than to the process, the core tells.
func (r *answers) commands() map[string]handler {
	return map[string]handler{
		"buildInfo":        r.coreInfo("buildInfo"),
		"buildinfo":        r.coreInfo("buildInfo"),
		"hostInfo":         r.coreInfo("hostInfo"),
		"getLog":           r.coreInfo("getLog"),
		"getParameter":     r.coreInfo("getParameter"),
		"serverStatus":     r.serverStatus,
		"getCmdLineOpts":   r.getCmdLineOpts,
		"connectionStatus": r.connectionStatus,
		"whatsmyuri":       r.whatsMyURI,
		"isdbgrid":         r.isDBGrid,
		"listCommands":     r.listCommands,
		"replSetGetStatus": r.replSetGetStatus,
	}
}

// coreInfo makes the handler of a command that the core answers as it is. Each name has to be one of coreCommands.
func (r *answers) coreInfo(name string) handler {
	return func(ctx context.Context, req *request) (bsoncore.Document, error) {
		return req.answer(r.core.ask(ctx, document(req.as(name), "$db", req.db)))
	}
}

// serverStatus calls the process mongos and has no section repl: so drivers' test suites and mongosh tell a router from a member.
func (r *answers) serverStatus(ctx context.Context, _ *request) (bsoncore.Document, error) {
	info, err := r.core.admin(ctx, "buildInfo", 1)
	if err != nil {
		return nil, err
	}
	uptime := time.Since(r.clients.started)
	current := r.clients.now.Load()
	return encode(
		"host", r.name(),
		"version", stringField(info, "version"),
		"process", "mongos",
		"pid", int64(os.Getpid()),
		"uptime", uptime.Seconds(),
		"uptimeMillis", uptime.Milliseconds(),
		"uptimeEstimate", int64(uptime.Seconds()),
		"localTime", time.Now(),
		"connections", fields("current", current, "available", int64(r.cfg.MaxConnections)-current, "totalCreated", r.clients.ever.Load()),
		"sharding", fields("configsvrConnectionString", r.cfg.ConfigServers),
		"devmongos", fields("core", r.cfg.Core, "datacenter", r.cfg.DC),
	)
}

// name is the router's as a server tells it: the machine's and its port.
func (r *answers) name() string {
	host, _ := os.Hostname() // without a name it goes by the port
	_, port, _ := net.SplitHostPort(r.cfg.Listen)
	return net.JoinHostPort(host, port)
}

func (r *answers) getCmdLineOpts(context.Context, *request) (bsoncore.Document, error) {
	return encode("argv", bson.A{"devmongos"}, "parsed", fields("net", fields("bindIp", r.cfg.Listen), "sharding", fields("configDB", r.cfg.ConfigServers)))
}

// connectionStatus knows those who have logged in, and what they may do.
func (r *answers) connectionStatus(ctx context.Context, req *request) (bsoncore.Document, error) {
	shown, who := boolField(req.body, "showPrivileges"), req.client.login.who
	switch {
	case who != nil && shown:
		g, err := r.logins.grantOf(ctx, who)
		if err != nil {
			return nil, err
		}
		return encode("authInfo", withField(who, "authenticatedUserPrivileges", g.list))
	case who != nil:
		return encode("authInfo", who)
	}
	privileges := when(shown, "authenticatedUserPrivileges", bson.A{})
	return encode("authInfo", fields("authenticatedUsers", bson.A{}, "authenticatedUserRoles", bson.A{}, privileges))
}

func (r *answers) whatsMyURI(_ context.Context, req *request) (bsoncore.Document, error) {
	return encode("you", req.client.conn.RemoteAddr().String())
}

func (r *answers) isDBGrid(context.Context, *request) (bsoncore.Document, error) {
	return encode("isdbgrid", 1, "hostname", r.name())
}

func (r *answers) listCommands(context.Context, *request) (bsoncore.Document, error) {
	var commands bson.D
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		commands = fields(commands, name, fields("help", "see MongoDB's manual"))
	}
	return encode("commands", commands)
}

// replSetGetStatus fails as it does on a mongos, where info tells tools what they are connected to.
func (r *answers) replSetGetStatus(context.Context, *request) (bsoncore.Document, error) {
	return document("info", "mongos", "ok", 0.0, "errmsg", "replSetGetStatus is not supported through mongos"), nil
}

// A clientCount is how many connections there are and have been since the start.
type clientCount struct {
	now, ever atomic.Int64
	started   time.Time
}
