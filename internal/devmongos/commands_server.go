package devmongos

import (
	"context"
	"maps"
	"os"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// serverCommands tell of the router itself. What belongs to the program or the machine rather than to the process, the core tells.
var serverCommands = map[string]handler{
	"buildInfo":        coreInfo("buildInfo"),
	"buildinfo":        coreInfo("buildInfo"),
	"hostInfo":         coreInfo("hostInfo"),
	"getLog":           coreInfo("getLog"),
	"getParameter":     coreInfo("getParameter"),
	"serverStatus":     (*router).serverStatus,
	"getCmdLineOpts":   (*router).getCmdLineOpts,
	"connectionStatus": (*router).connectionStatus,
	"whatsmyuri":       (*router).whatsMyURI,
	"isdbgrid":         (*router).isDBGrid,
	"listCommands":     (*router).listCommands,
	"replSetGetStatus": (*router).replSetGetStatus,
}

// coreInfo makes the handler of a command that the core answers as it is. Each name has to be one of coreCommands.
func coreInfo(name string) handler {
	return func(r *router, ctx context.Context, req *request) (bsoncore.Document, error) {
		cmd := slices.Concat(bson.D{{Key: name, Value: req.target()}}, req.arguments(), bson.D{{Key: "$db", Value: req.db}})
		body, err := bson.Marshal(cmd)
		if err != nil {
			return nil, err
		}
		rep, err := r.core.ask(ctx, body)
		if err != nil {
			return nil, err
		}
		return req.hold(rep).doc, nil
	}
}

// serverStatus calls the process mongos and has no section repl: so drivers' test suites and mongosh tell a router from a member.
func (r *router) serverStatus(ctx context.Context, _ *request) (bsoncore.Document, error) {
	info, err := r.askCore(ctx, bson.D{{Key: "buildInfo", Value: 1}})
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	uptime := time.Since(r.started)
	current := r.clients.Load()
	return encode(bson.D{
		{Key: "host", Value: host + portOf(r.cfg.Listen)},
		{Key: "version", Value: stringField(info, "version")},
		{Key: "process", Value: "mongos"},
		{Key: "pid", Value: int64(os.Getpid())},
		{Key: "uptime", Value: uptime.Seconds()},
		{Key: "uptimeMillis", Value: uptime.Milliseconds()},
		{Key: "uptimeEstimate", Value: int64(uptime.Seconds())},
		{Key: "localTime", Value: time.Now()},
		{Key: "connections", Value: bson.D{
			{Key: "current", Value: current}, {Key: "available", Value: int64(r.cfg.MaxConnections) - current}, {Key: "totalCreated", Value: r.connectionID.Load()},
		}},
		{Key: "sharding", Value: bson.D{{Key: "configsvrConnectionString", Value: r.cfg.ConfigServers}}},
		{Key: "devmongos", Value: bson.D{{Key: "core", Value: r.cfg.Core}, {Key: "datacenter", Value: string(r.cfg.DC)}}},
	})
}

// portOf is ":port" of an address.
func portOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == ':' {
			return address[i:]
		}
	}
	return ""
}

func (r *router) getCmdLineOpts(context.Context, *request) (bsoncore.Document, error) {
	return encode(bson.D{
		{Key: "argv", Value: bson.A{"devmongos"}},
		{Key: "parsed", Value: bson.D{
			{Key: "net", Value: bson.D{{Key: "bindIp", Value: r.cfg.Listen}}},
			{Key: "sharding", Value: bson.D{{Key: "configDB", Value: r.cfg.ConfigServers}}},
		}},
	})
}

// connectionStatus knows those who have logged in. It lists no privileges: the router grants every client all of them.
func (r *router) connectionStatus(_ context.Context, req *request) (bsoncore.Document, error) {
	if who := req.client.login.who; who != nil {
		return encode(bson.D{{Key: "authInfo", Value: bson.Raw(who)}})
	}
	info := bson.D{{Key: "authenticatedUsers", Value: bson.A{}}, {Key: "authenticatedUserRoles", Value: bson.A{}}}
	if truth(field(req.body, "showPrivileges")) {
		info = append(info, bson.E{Key: "authenticatedUserPrivileges", Value: bson.A{}})
	}
	return encode(bson.D{{Key: "authInfo", Value: info}})
}

func (r *router) whatsMyURI(_ context.Context, req *request) (bsoncore.Document, error) {
	return encode(bson.D{{Key: "you", Value: req.client.conn.RemoteAddr().String()}})
}

func (r *router) isDBGrid(context.Context, *request) (bsoncore.Document, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return encode(bson.D{{Key: "isdbgrid", Value: 1}, {Key: "hostname", Value: host + portOf(r.cfg.Listen)}})
}

func (r *router) listCommands(context.Context, *request) (bsoncore.Document, error) {
	var commands bson.D
	for _, name := range slices.Sorted(maps.Keys(r.commands)) {
		commands = append(commands, bson.E{Key: name, Value: bson.D{{Key: "help", Value: "see MongoDB's manual"}}})
	}
	return encode(bson.D{{Key: "commands", Value: commands}})
}

// replSetGetStatus fails as it does on a mongos, where info tells tools what they are connected to.
func (r *router) replSetGetStatus(context.Context, *request) (bsoncore.Document, error) {
	return build(func(dst []byte) []byte {
		dst = bsoncore.AppendStringElement(dst, "info", "mongos")
		dst = bsoncore.AppendDoubleElement(dst, "ok", 0)
		return bsoncore.AppendStringElement(dst, "errmsg", "replSetGetStatus is not supported through mongos")
	}), nil
}
