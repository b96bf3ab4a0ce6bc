package catalog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	driver "go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/geoshard/geoshard/internal/redact"
	"github.com/geoshard/geoshard/topology"
)

// DefaultWithin is how long Open and each command look for a server, where the connection string says nothing: the driver's own 30 s are
// long for somebody who mistyped a host.
const DefaultWithin = 10 * time.Second

const uriForm = "mongodb://user:password@host:27017/?authSource=admin&tls=true"

// Options say which cluster to open.
type Options struct {
	// URI leads to a query router. It may be empty if Client has the hosts.
	URI string
	// Client has what the URI does not say, such as a TLS configuration or an X.509 credential; it wins over the URI. nil = nothing.
	Client *options.ClientOptions
	// Within is how long to look for a server. 0 = what the URI or Client says, else DefaultWithin.
	Within time.Duration
}

// A Catalog is a connection to a cluster's query router. It is safe for concurrent use.
type Catalog struct {
	client *mongo.Client
	// options are those of client; the shards' members are asked with the same credentials and TLS.
	options *options.ClientOptions
	uri     string
	secret  string // of the credential

	closing sync.Once
	err     error
}

// Open connects to a query router. It returns topology.ErrNoQueryRouter for any other server, ErrUnreachable or ErrLogin. Its errors, and all later
// ones, hold no credentials.
func Open(ctx context.Context, o Options) (*Catalog, error) {
	c := &Catalog{uri: o.URI}
	base := options.Client()
	if o.URI != "" {
		base.ApplyURI(o.URI)
	}
	c.options = options.MergeClientOptions(base, o.Client)
	if c.uri == "" {
		c.uri = c.options.GetURI()
	}
	if c.options.Auth != nil {
		c.secret = c.options.Auth.Password
	}
	if c.options.AppName == nil {
		c.options.SetAppName("geoshard")
	}
	if o.Within > 0 {
		c.options.SetServerSelectionTimeout(o.Within)
	} else if c.options.ServerSelectionTimeout == nil {
		c.options.SetServerSelectionTimeout(DefaultWithin)
	}
	if c.uri == "" && len(c.options.Hosts) == 0 {
		return nil, &Error{What: "connect to the cluster", Err: errors.New("no connection string was given"), hint: "give the one of a query router: " + uriForm}
	}
	what := "connect to " + c.name()
	var err error
	if c.client, err = mongo.Connect(c.options); err != nil {
		return nil, &Error{What: what, Err: redact.Error(err, c.uri, c.secret), hint: "a connection string looks like " + uriForm + "; special characters of a password are written as %40 and the like"}
	}
	if err := c.check(ctx, what); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	return c, nil
}

// name is the cluster as messages call it.
func (c *Catalog) name() string {
	if c.uri != "" {
		return redact.URI(c.uri)
	}
	return "mongodb://" + strings.Join(c.options.Hosts, ",")
}

func (c *Catalog) check(ctx context.Context, what string) error {
	var hello struct {
		Msg string
		Set string `bson:"setName"`
	}
	err := c.client.Database("admin").RunCommand(ctx, bson.M{"hello": 1}).Decode(&hello)
	if cause, selecting := lastError(err); selecting {
		return &Error{What: what, Kind: ErrUnreachable, Err: redact.Error(cause, c.uri, c.secret), hint: whyUnreachable(cause, c.options.TLSConfig != nil)}
	}
	if err != nil {
		return c.fail(what, "hello", "", err)
	}
	if hello.Msg == "isdbgrid" {
		return nil
	}
	found := "it is a server by itself"
	if hello.Set != "" {
		found = "it is a member of the replica set " + hello.Set
	}
	return &Error{What: what, Kind: topology.ErrNoQueryRouter, Err: errors.New(found), hint: "give the connection string of a mongos of the sharded cluster, not of a replica set"}
}

// Client is the connection to the query router.
func (c *Catalog) Client() *mongo.Client { return c.client }

// Close disconnects. It is idempotent.
func (c *Catalog) Close(ctx context.Context) error {
	c.closing.Do(func() { c.err = c.client.Disconnect(ctx) })
	return c.err
}

// config is the catalogue's database.
func (c *Catalog) config() *mongo.Database { return c.database("config") }

// database is one that is read as a majority has it and written so that a majority has it, whatever the connection string says.
func (c *Catalog) database(name string) *mongo.Database {
	return c.client.Database(name, options.Database().SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Primary()).SetWriteConcern(writeconcern.Majority()))
}

// collection is one of the databases, read and written like the catalogue.
func (c *Catalog) collection(ns string) *mongo.Collection {
	db, name, _ := strings.Cut(ns, ".")
	return c.database(db).Collection(name)
}

// admin runs a command about the cluster. into may be nil.
func (c *Catalog) admin(ctx context.Context, what string, cmd bson.D, into any) error {
	return c.command(ctx, what, "admin", "", cmd, into)
}

// command runs a command on a database. on is what it is about: a namespace, or "" for the cluster. into may be nil.
func (c *Catalog) command(ctx context.Context, what, db, on string, cmd bson.D, into any) error {
	result := c.client.Database(db).RunCommand(ctx, cmd)
	err := result.Err()
	if err == nil && into != nil {
		err = result.Decode(into)
	}
	return c.fail(what, cmd[0].Key, on, err)
}

// lastError is what the driver last met while it looked for a server, if that is what it was doing.
func lastError(err error) (cause error, selecting bool) {
	var selection driver.ServerSelectionError
	if !errors.As(err, &selection) {
		return nil, false
	}
	cause = errors.New("none of its addresses is a server of the kind that the connection string asks for")
	for _, server := range selection.Desc.Servers {
		if server.LastError != nil {
			return server.LastError, true
		}
		cause = errors.New("it did not answer in time")
	}
	return cause, true
}

func whyUnreachable(cause error, encrypted bool) string {
	var unknownAuthority x509.UnknownAuthorityError
	var otherHost x509.HostnameError
	var plain tls.RecordHeaderError
	hungUp := errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF) || errors.Is(cause, syscall.ECONNRESET)
	switch {
	case errors.As(cause, &unknownAuthority):
		return "name the file with the certificate of the server's authority: tlsCAFile in the connection string"
	case errors.As(cause, &otherHost):
		return "use a host name that the server's certificate is for"
	case errors.As(cause, &plain), hungUp && encrypted:
		return "the server may speak without TLS: then leave out tls=true; or it wants a certificate of the client: tlsCertificateKeyFile"
	case hungUp:
		return "the server may want TLS: tls=true and tlsCAFile in the connection string"
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "nothing listens there: check host and port, and whether the query router runs"
	default:
		return "check host and port, the firewall, and whether the query router runs"
	}
}
