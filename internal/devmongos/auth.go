package devmongos

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/xdg-go/scram"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A guard is what it takes to be let in by members, and what is asked of clients. The zero value asks for nothing and brings nothing.
type guard struct {
	// members proves knowledge of the keyfile; nil without authentication. It remembers the keys that it derives, one for each salt.
	members *scram.Client
	// toMembers and toClients are the two ends of TLS; nil without.
	toMembers, toClients *tls.Config
}

// loginTimeout bounds one question to the config servers about a user: longer than any round trip.
const loginTimeout = dialTimeout

// The user as whom the processes of a cluster know each other, and its database.
const (
	systemUser     = "__system"
	systemDatabase = "local"
)

func newGuard(cfg Config) (guard, error) {
	g := guard{}
	if cfg.KeyFile != "" {
		text, err := os.ReadFile(cfg.KeyFile)
		if err != nil {
			return g, fmt.Errorf("read keyfile: %w", err)
		}
		key := string(bytes.Join(bytes.Fields(text), nil)) // white space in a keyfile has no meaning
		if g.members, err = scram.SHA256.NewClient(systemUser, key, ""); err != nil {
			return g, fmt.Errorf("use keyfile %s: %w", cfg.KeyFile, err)
		}
	}
	if cfg.CertificateKeyFile == "" {
		return g, nil
	}
	var err error
	g.toMembers, g.toClients, err = tlsEnds(cfg.CertificateKeyFile, cfg.CAFile)
	return g, err
}

// authenticates tells that clients have to log in.
func (g *guard) authenticates() bool { return g.members != nil }

// enter makes a fresh connection to a member one that the member trusts.
func (g *guard) enter(ctx context.Context, nc net.Conn, address string) (*serverConn, error) {
	nc, err := g.encrypt(ctx, nc, address)
	if err != nil {
		return nil, err
	}
	c := newServerConn(nc)
	if g.members == nil {
		return c, nil
	}
	if err := g.logIn(ctx, c, address); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// logIn is the client's side of SCRAM-SHA-256 as the system user.
func (g *guard) logIn(ctx context.Context, c *serverConn, address string) error {
	talk := g.members.NewConversation()
	say, err := talk.Step("")
	if err != nil {
		return fmt.Errorf("log in to %s: %w", address, err)
	}
	cmd := bson.D{
		{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "SCRAM-SHA-256"}, {Key: "payload", Value: []byte(say)},
		{Key: "options", Value: bson.D{{Key: "skipEmptyExchange", Value: true}}},
	}
	for {
		body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: systemDatabase}))
		if err != nil {
			return fmt.Errorf("log in to %s: %w", address, err)
		}
		rep, err := stranger(address).roundTrip(ctx, c, command{body: body})
		if err != nil {
			return fmt.Errorf("log in to %s: %w", address, err)
		}
		answer := bytes.Clone(rep.doc)
		rep.buf.release()
		if codeOf(answer) != 0 {
			return fmt.Errorf("log in to %s: %w", address, &replyError{answer})
		}
		_, payload, _ := field(answer, "payload").BinaryOK()
		if say, err = talk.Step(string(payload)); err != nil {
			return fmt.Errorf("log in to %s: %w", address, err)
		}
		if truth(field(answer, "done")) {
			if !talk.Valid() {
				return fmt.Errorf("log in to %s: the member does not know the keyfile", address)
			}
			return nil
		}
		conversation, _ := intField(answer, "conversationId")
		cmd = bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: int32(conversation)}, {Key: "payload", Value: []byte(say)}}
	}
}

// stranger is a host for messages before a login: without the cluster's time, which members take only from those they know.
func stranger(address string) *host { return &host{address: address, clock: &clusterTime{}} }

// A login is how far a client has come in saying who it is.
type login struct {
	// conn is the conversation's own connection to the config servers' primary, while it lasts.
	conn    *serverConn
	address string
	// who is authInfo of connectionStatus: the users and their roles; nil until the client has proved to be somebody.
	who bsoncore.Document
}

// end forgets the conversation, and whom it was about.
func (l *login) end() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	*l = login{}
}

// authCommands are known to a router whose clients log in.
var authCommands = map[string]handler{
	"saslStart":    (*router).saslStart,
	"saslContinue": (*router).saslContinue,
	"authenticate": (*router).authenticate,
	"logout":       (*router).logout,
}

// openToAll names the commands that servers answer before a login.
var openToAll = map[string]bool{
	"hello": true, "isMaster": true, "ismaster": true, "ping": true, "buildInfo": true, "buildinfo": true, "isdbgrid": true,
	"connectionStatus": true, "whatsmyuri": true, "listCommands": true, "endSessions": true,
	"saslStart": true, "saslContinue": true, "authenticate": true, "logout": true,
}

// admit refuses the commands of clients that have not logged in. What those who have may do is not asked: see the package comment.
func (c *client) admit(command string) error {
	if !c.router.guard.authenticates() || c.login.who != nil || openToAll[command] {
		return nil
	}
	return refuse(codeUnauthorized, "command %s requires authentication", command)
}

// trusted tells whether to believe a client's cluster time, which it could send far into the future.
func (c *client) trusted() bool { return !c.router.guard.authenticates() || c.login.who != nil }

// saslStart begins a conversation between the client and the config servers' primary, which knows the users.
func (r *router) saslStart(ctx context.Context, req *request) (bsoncore.Document, error) {
	if !r.guard.authenticates() {
		return nil, refuse(codeAuthenticationFailed, "the cluster was started without authentication")
	}
	l := &req.client.login
	l.end()
	budget, cancel := context.WithTimeout(ctx, r.cfg.FailoverBudget)
	defer cancel()
	primary, err := r.configs.waitPrimary(budget)
	if err != nil {
		return nil, r.configs.noPrimary(ctx, nil)
	}
	if l.conn, err = r.connectAsStranger(budget, primary.address); err != nil {
		primary.suspect(false)
		return nil, refuse(codeHostUnreachable, "ask the config servers about a user: %v", err)
	}
	l.address = primary.address
	return r.sasl(ctx, req, bson.E{Key: req.name, Value: req.target()})
}

func (r *router) saslContinue(ctx context.Context, req *request) (bsoncore.Document, error) {
	if req.client.login.conn == nil {
		return nil, refuse(codeProtocolError, "no SASL session state found")
	}
	return r.sasl(ctx, req, bson.E{Key: req.name, Value: req.target()})
}

// connectAsStranger connects without logging in.
func (r *router) connectAsStranger(ctx context.Context, address string) (*serverConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := r.cfg.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if nc, err = r.guard.encrypt(ctx, nc, address); err != nil {
		return nil, err
	}
	return newServerConn(nc), nil
}

// sasl passes one message of the conversation on. A failure ends it; after its end the config server says whom it let in.
func (r *router) sasl(ctx context.Context, req *request, first bson.E) (bsoncore.Document, error) {
	l := &req.client.login
	answer, err := l.ask(ctx, append(bson.D{first}, req.arguments()...), req.db)
	if err != nil {
		l.end()
		return nil, err
	}
	if !truth(field(answer, "done")) {
		return answer, nil
	}
	status, err := l.ask(ctx, bson.D{{Key: "connectionStatus", Value: 1}}, "admin")
	l.end()
	if err != nil {
		return nil, err
	}
	who := documentField(status, "authInfo")
	if len(arrayValues(field(who, "authenticatedUsers"))) == 0 {
		return nil, refuse(codeAuthenticationFailed, "Authentication failed.")
	}
	l.who = who
	return answer, nil
}

// ask runs a command in the conversation; an answer with ok: 0 is a *replyError.
func (l *login) ask(ctx context.Context, cmd bson.D, db string) (bsoncore.Document, error) {
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: db}))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	rep, err := stranger(l.address).roundTrip(ctx, l.conn, command{body: body})
	if err != nil {
		return nil, refuse(codeHostUnreachable, "ask the config servers about a user: %v", err)
	}
	defer rep.buf.release()
	answer := bytes.Clone(rep.doc)
	if codeOf(answer) != 0 {
		return nil, &replyError{answer}
	}
	return answer, nil
}

// authenticate is the older way with certificates as users, which the router cannot forward: it is the router's own certificate that
// the config servers see.
func (r *router) authenticate(context.Context, *request) (bsoncore.Document, error) {
	return nil, refuse(codeAuthenticationFailed, "the development query router authenticates by SCRAM only")
}

func (r *router) logout(_ context.Context, req *request) (bsoncore.Document, error) {
	req.client.login.end()
	return okReply, nil
}

// mechanisms is what a client's hello asks with saslSupportedMechs: how that user ("database.name") may log in. nil: there is no answer,
// and then drivers take their default.
func (r *router) mechanisms(ctx context.Context, user bsoncore.Value) bsoncore.Value {
	if !r.guard.authenticates() || user.Type != bsoncore.TypeString {
		return bsoncore.Value{}
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	answer, err := r.onConfig(ctx, "admin", bson.D{{Key: "hello", Value: 1}, {Key: "saslSupportedMechs", Value: rawValue(user)}})
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			r.log.Debug("mechanisms of a user not known", "error", err)
		}
		return bsoncore.Value{}
	}
	return field(answer, "saslSupportedMechs")
}
