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
		body, err := bson.Marshal(req.as(name, bson.E{Key: "$db", Value: req.db}))
		if err != nil {
			return nil, err
		}
		return req.answer(r.core.ask(ctx, body))
	}
}

// serverStatus calls the process mongos and has no section repl: so drivers' test suites and mongosh tell a router from a member.
func (r *answers) serverStatus(ctx context.Context, _ *request) (bsoncore.Document, error) {
	info, err := r.core.admin(ctx, bson.D{{Key: "buildInfo", Value: 1}})
	if err != nil {
		return nil, err
	}
	uptime := time.Since(r.clients.started)
	current := r.clients.now.Load()
	return encode(bson.D{
		{Key: "host", Value: r.name()},
		{Key: "version", Value: stringField(info, "version")},
		{Key: "process", Value: "mongos"},
		{Key: "pid", Value: int64(os.Getpid())},
		{Key: "uptime", Value: uptime.Seconds()},
		{Key: "uptimeMillis", Value: uptime.Milliseconds()},
		{Key: "uptimeEstimate", Value: int64(uptime.Seconds())},
		{Key: "localTime", Value: time.Now()},
		{Key: "connections", Value: bson.D{
			{Key: "current", Value: current}, {Key: "available", Value: int64(r.cfg.MaxConnections) - current}, {Key: "totalCreated", Value: r.clients.ever.Load()},
		}},
		{Key: "sharding", Value: bson.D{{Key: "configsvrConnectionString", Value: r.cfg.ConfigServers}}},
		{Key: "devmongos", Value: bson.D{{Key: "core", Value: r.cfg.Core}, {Key: "datacenter", Value: string(r.cfg.DC)}}},
	})
}

// name is the router's as a server tells it: the machine's and its port.
func (r *answers) name() string {
	host, _ := os.Hostname() // without a name it goes by the port
	_, port, _ := net.SplitHostPort(r.cfg.Listen)
	return net.JoinHostPort(host, port)
}

func (r *answers) getCmdLineOpts(context.Context, *request) (bsoncore.Document, error) {
	return encode(bson.D{
		{Key: "argv", Value: bson.A{"devmongos"}},
		{Key: "parsed", Value: bson.D{
			{Key: "net", Value: bson.D{{Key: "bindIp", Value: r.cfg.Listen}}},
			{Key: "sharding", Value: bson.D{{Key: "configDB", Value: r.cfg.ConfigServers}}},
		}},
	})
}

// connectionStatus knows those who have logged in. It lists no privileges: the router grants every client all of them.
func (r *answers) connectionStatus(_ context.Context, req *request) (bsoncore.Document, error) {
	if who := req.client.login.who; who != nil {
		return encode(bson.D{{Key: "authInfo", Value: bson.Raw(who)}})
	}
	info := bson.D{{Key: "authenticatedUsers", Value: bson.A{}}, {Key: "authenticatedUserRoles", Value: bson.A{}}}
	if truth(field(req.body, "showPrivileges")) {
		info = append(info, bson.E{Key: "authenticatedUserPrivileges", Value: bson.A{}})
	}
	return encode(bson.D{{Key: "authInfo", Value: info}})
}

func (r *answers) whatsMyURI(_ context.Context, req *request) (bsoncore.Document, error) {
	return encode(bson.D{{Key: "you", Value: req.client.conn.RemoteAddr().String()}})
}

func (r *answers) isDBGrid(context.Context, *request) (bsoncore.Document, error) {
	return encode(bson.D{{Key: "isdbgrid", Value: 1}, {Key: "hostname", Value: r.name()}})
}

func (r *answers) listCommands(context.Context, *request) (bsoncore.Document, error) {
	var commands bson.D
	for _, name := range slices.Sorted(maps.Keys(r.known)) {
		commands = append(commands, bson.E{Key: name, Value: bson.D{{Key: "help", Value: "see MongoDB's manual"}}})
	}
	return encode(bson.D{{Key: "commands", Value: commands}})
}

// replSetGetStatus fails as it does on a mongos, where info tells tools what they are connected to.
func (r *answers) replSetGetStatus(context.Context, *request) (bsoncore.Document, error) {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "info", "mongos")
		dst = bsoncore.AppendDoubleElement(dst, "ok", 0)
		return bsoncore.AppendStringElement(dst, "errmsg", "replSetGetStatus is not supported through mongos")
	}), nil
}

// A clientCount is how many connections there are and have been since the start.
type clientCount struct {
	now, ever atomic.Int64
	started   time.Time
}
