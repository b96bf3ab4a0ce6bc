package devmongos

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// loginTimeout bounds one question to the config servers about a user: longer than any round trip.
const loginTimeout = dialTimeout

// logins ask the config servers, which know the users, who a client is and what it may do.
type logins struct {
	configs *replicaSet
	grants  grants
}

// commands are known to a router whose clients log in.
func (r *logins) commands() map[string]handler {
	return map[string]handler{
		"saslStart":    r.saslStart,
		"saslContinue": r.saslContinue,
		"authenticate": r.authenticate,
		"logout":       r.logout,
	}
}

// saslStart begins a conversation between the client and the config servers' primary, which knows the users.
func (r *logins) saslStart(ctx context.Context, req *request) (bsoncore.Document, error) {
	if !req.client.guard.authenticates() {
		return nil, refuse(codeAuthenticationFailed, "the cluster was started without authentication")
	}
	l := &req.client.login
	l.end()
	budget, cancel := context.WithTimeout(ctx, req.client.budget)
	defer cancel()
	primary, err := r.configs.waitPrimary(budget)
	if err != nil {
		return nil, r.configs.noPrimary(ctx, nil)
	}
	if l.conn, err = primary.open(budget); err != nil {
		primary.suspect(false)
		return nil, refuse(codeHostUnreachable, "ask the config servers about a user: %v", err)
	}
	l.address = primary.address
	return r.sasl(ctx, req)
}

func (r *logins) saslContinue(ctx context.Context, req *request) (bsoncore.Document, error) {
	if req.client.login.conn == nil {
		return nil, refuse(codeProtocolError, "no SASL session state found")
	}
	return r.sasl(ctx, req)
}

// sasl passes one message of the conversation on. A failure ends it; after its end the config server says whom it let in.
func (r *logins) sasl(ctx context.Context, req *request) (bsoncore.Document, error) {
	l := &req.client.login
	answer, err := l.ask(ctx, req.db, req.as(req.name))
	if err != nil {
		l.end()
		return nil, err
	}
	if !boolField(answer, "done") {
		return answer, nil
	}
	status, err := l.ask(ctx, "admin", fields("connectionStatus", 1))
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
func (l *login) ask(ctx context.Context, db string, cmd bson.D) (bsoncore.Document, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	answer, err := l.conn.askAsStranger(ctx, l.address, db, cmd)
	if err != nil && answerIn(err) == nil {
		return nil, refuse(codeHostUnreachable, "ask the config servers about a user: %v", err)
	}
	return answer, err
}

// authenticate is the older way with certificates as users, which the router cannot forward: it is the router's own certificate that
// the config servers see.
func (r *logins) authenticate(context.Context, *request) (bsoncore.Document, error) {
	return nil, refuse(codeAuthenticationFailed, "the development query router authenticates by SCRAM only")
}

func (r *logins) logout(_ context.Context, req *request) (bsoncore.Document, error) {
	req.client.login.end()
	return okReply, nil
}

// mechanisms is what a client's hello asks with saslSupportedMechs: how that user ("database.name") may log in. nil: there is no answer,
// and then drivers take their default.
func (r *logins) mechanisms(ctx context.Context, req *request) bsoncore.Value {
	user := field(req.body, "saslSupportedMechs")
	if !req.client.guard.authenticates() || user.Type != bsoncore.TypeString {
		return bsoncore.Value{}
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	answer, err := r.configs.tell(ctx, "admin", fields("hello", 1, "saslSupportedMechs", user))
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			r.configs.log.Debug("mechanisms of a user not known", "error", err)
		}
		return bsoncore.Value{}
	}
	return field(answer, "saslSupportedMechs")
}
