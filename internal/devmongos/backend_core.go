package devmongos

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// A core is the mongod that executes MongoDB's own router code for us.
type core struct {
	*host
	sessions coreSessions
}

func newCore(address string, b *backend) *core { return &core{host: newHost(address, b)} }

// coreCommands are all commands that the core may be sent for a client. A plain find or insert would read and write the core's
// own data, and succeed.
var coreCommands = setOf("clusterFind", "clusterAggregate", "clusterGetMore", "explain", "flushRouterConfig",
	"buildInfo", "serverStatus", "hostInfo", "getParameter", "getLog", "getCmdLineOpts")

// ask is the one way to the core for anything that comes from a client. It refuses what is not in coreCommands, and every
// field of retryable writes and transactions: cluster* commands with a txnNumber abort the process. So do cursors that wait for
// more (see refuseUnsafe).
func (c *core) ask(ctx context.Context, body bsoncore.Document) (reply, error) {
	if err := checkForCore(body); err != nil {
		return reply{}, err
	}
	if nameOf(body) == "clusterGetMore" {
		// Its batch is lost with its answer: the next one would leave a gap.
		return c.run(ctx, command{body: body})
	}
	return c.patient(ctx, body)
}

func checkForCore(body bsoncore.Document) error {
	name := nameOf(body)
	if !coreCommands[name] {
		return fmt.Errorf("send %q to the router core: not a command for it", name)
	}
	if name == "explain" {
		if err := checkForCore(documentField(body, name)); err != nil {
			return err
		}
	}
	for e := range elements(body) {
		if transactionFields[string(e.name)] {
			return fmt.Errorf("send %q to the router core: it would abort the process", e.name)
		}
	}
	return refuseUnsafe(body)
}

// patient repeats a command while the core is restarting, when its answer was given up for lost, or when the core got no connection to a member in time, as one that is paused
// gives none; it is only for commands that may be repeated.
func (c *core) patient(ctx context.Context, body bsoncore.Document) (rep reply, err error) {
	for range attempts(ctx, c.budget) {
		rep, err = c.run(ctx, command{body: body})
		var transport *transportError
		switch {
		case errors.As(err, &transport):
			c.reset()
		case err != nil:
			return reply{}, err
		default:
			if code := codeOf(rep.doc); !isNotPrimary(code) && code != codeNoConnection {
				return rep, nil
			}
			err = &replyError{rep.doc}
		}
	}
	return reply{}, err
}

// flush makes the core forget where a namespace lives: clusterAggregate never finds out by itself.
func (c *core) flush(ctx context.Context, ns string) error {
	rep, err := c.ask(ctx, document("flushRouterConfig", ns, "$db", "admin"))
	if err != nil {
		return err
	}
	defer rep.buf.release()
	if codeOf(rep.doc) != 0 {
		return fmt.Errorf("flush router core: %s", stringField(rep.doc, "errmsg"))
	}
	return nil
}
