package devmongos

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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

// logIn is the client's side of SCRAM-SHA-256 as the system user.
func (g *guard) logIn(ctx context.Context, c *serverConn, address string) error {
	talk := g.members.NewConversation()
	say, err := talk.Step("")
	if err != nil {
		return err
	}
	cmd := fields("saslStart", 1, "mechanism", "SCRAM-SHA-256", "payload", []byte(say), "options", fields("skipEmptyExchange", true))
	for {
		answer, err := c.askAsStranger(ctx, address, systemDatabase, cmd)
		if err != nil {
			return err
		}
		_, payload, _ := field(answer, "payload").BinaryOK()
		if say, err = talk.Step(string(payload)); err != nil {
			return err
		}
		if boolField(answer, "done") {
			if !talk.Valid() {
				return errors.New("the member does not know the keyfile")
			}
			return nil
		}
		cmd = fields("saslContinue", 1, "conversationId", field(answer, "conversationId"), "payload", []byte(say))
	}
}

// askAsStranger runs a command on the connection before a login: without the cluster's time, which members take only from those they know. See kept.
func (c *serverConn) askAsStranger(ctx context.Context, address, db string, cmd bson.D) (bsoncore.Document, error) {
	encoded, err := commandOn(db, cmd)
	if err != nil {
		return nil, err
	}
	stranger := host{backend: &backend{}, address: address}
	return kept(stranger.roundTrip(ctx, c, encoded))
}
