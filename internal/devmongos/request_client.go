package devmongos

import (
	"bufio"
	"context"
	"net"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/geoshard/geoshard/internal/wire"
)

// A client is one connection of a client. One goroutine reads, one answers: so the router notices that a client has gone while
// its command runs, and ends the command.
type client struct {
	*backend
	conn net.Conn
	id   int64
	// login is the answering goroutine's own.
	login login
}

// receive reads messages until the connection ends; it is at most one ahead of the answers.
func (c *client) receive(ctx context.Context, incoming chan<- *buffer) {
	in := bufio.NewReaderSize(c.conn, 4096)
	for {
		if _, err := in.Peek(1); err != nil { // no buffer while the client is idle
			return
		}
		buf := newBuffer()
		var err error
		if buf.bytes, err = wire.Read(in, buf.bytes); err != nil {
			buf.release()
			return
		}
		select {
		case incoming <- buf:
		case <-ctx.Done():
			buf.release()
			return
		}
	}
}

// admit refuses the commands of clients that have not logged in. What those who have may do,
// logins.authorize asks.
func (c *client) admit(command string) error {
	if !c.guard.authenticates() || c.login.who != nil || openToAll[command] {
		return nil
	}
	return refuse(codeUnauthorized, "command %s requires authentication", command)
}

// trusted tells whether to believe a client's cluster time, which it could send far into the future.
func (c *client) trusted() bool { return !c.guard.authenticates() || c.login.who != nil }

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

// openToAll names the commands that servers answer before a login.
var openToAll = setOf("hello", "isMaster", "ismaster", "ping", "buildInfo", "buildinfo", "isdbgrid", "connectionStatus", "whatsmyuri", "listCommands", "endSessions",
	"saslStart", "saslContinue", "authenticate", "logout")
