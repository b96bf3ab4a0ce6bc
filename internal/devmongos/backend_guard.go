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
	cmd := bson.D{
		{Key: "saslStart", Value: 1}, {Key: "mechanism", Value: "SCRAM-SHA-256"}, {Key: "payload", Value: []byte(say)},
		{Key: "options", Value: bson.D{{Key: "skipEmptyExchange", Value: true}}},
	}
	for {
		encoded, err := commandOn(systemDatabase, cmd)
		if err != nil {
			return err
		}
		rep, err := stranger(address).roundTrip(ctx, c, encoded)
		if err != nil {
			return err
		}
		answer := bytes.Clone(rep.doc)
		rep.buf.release()
		if codeOf(answer) != 0 {
			return &replyError{answer}
		}
		_, payload, _ := field(answer, "payload").BinaryOK()
		if say, err = talk.Step(string(payload)); err != nil {
			return err
		}
		if truth(field(answer, "done")) {
			if !talk.Valid() {
				return errors.New("the member does not know the keyfile")
			}
			return nil
		}
		conversation, _ := intField(answer, "conversationId")
		cmd = bson.D{{Key: "saslContinue", Value: 1}, {Key: "conversationId", Value: int32(conversation)}, {Key: "payload", Value: []byte(say)}}
	}
}

// stranger is a host for messages before a login: without the cluster's time, which members take only from those they know.
func stranger(address string) *host { return &host{backend: &backend{}, address: address} }
