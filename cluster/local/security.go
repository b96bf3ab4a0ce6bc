package local

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/internal/layout"
	"github.com/geoshard/geoshard/cluster/internal/replica"
	"github.com/geoshard/geoshard/internal/passing"
)

// AdminUser is the user that a cluster with authentication begins with. Its database is admin, its
// role root. The supervisor asks the query routers as this user: who drops it or gives it another
// password sees routers in the cluster's status that refuse the supervisor.
const AdminUser = "admin"

// A security is what it takes to get into a cluster. nil: the cluster lets everybody in.
type security struct {
	// Password is AdminUser's; empty without authentication. It is here, in connection strings that were asked for with it, and nowhere else.
	Password string `json:"password,omitempty"`
	// KeyFile is the path of the members' keyfile; empty without authentication.
	KeyFile string `json:"keyFile,omitempty"`
	// CAFile is the path of the authority's certificate; empty without TLS.
	CAFile string `json:"caFile,omitempty"`
	// dir has the certificates of the processes.
	dir string
	// key is the content of the keyfile, roots that of CAFile: how the supervisor gets into
	// members.
	key   string
	roots *x509.CertPool
}

// keyBytes makes a keyfile of 1,000 characters; servers take 6 to 1,024.
const keyBytes = 750

// newSecurity writes the secrets of a cluster into dir. It returns nil when none are asked for.
func newSecurity(o Options, nodes []node, dir string) (*security, error) {
	if !o.Auth && !o.TLS {
		return nil, nil
	}
	s := &security{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for secrets: %w", err)
	}
	if o.Auth {
		var key [keyBytes]byte
		_, _ = rand.Read(key[:]) // never fails
		s.key, s.KeyFile, s.Password = base64.StdEncoding.EncodeToString(key[:]), filepath.Join(dir, "keyfile"), rand.Text()
		if err := writeSecret(s.KeyFile, []byte(s.key)); err != nil {
			return nil, err
		}
	}
	if o.TLS {
		if err := s.certify(o.Name, nodes); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *security) certify(clusterName string, nodes []node) error {
	ca, err := newAuthority(clusterName)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if err := ca.issue(n.Name, s.certificate(n.Name)); err != nil {
			return err
		}
	}
	s.CAFile = filepath.Join(s.dir, "ca.pem")
	s.roots = x509.NewCertPool()
	s.roots.AddCert(ca.certificate)
	return writeSecret(s.CAFile, pemOf("CERTIFICATE", ca.certificate.Raw)) // for all who want to know whom they talk to
}

// certificate is the path of a process's certificate and key.
func (s *security) certificate(member string) string {
	return filepath.Join(s.dir, fileName(member)+".pem")
}

func (s *security) authenticates() bool { return s != nil && s.KeyFile != "" }

func (s *security) encrypts() bool { return s != nil && s.CAFile != "" }

// arguments are those of a member or a mongos. Secrets go by file: everybody can read a process's arguments.
func (s *security) arguments(member string) []string {
	var args []string
	if s.authenticates() {
		args = append(args, "--keyFile", s.KeyFile)
	}
	if s.encrypts() {
		args = append(args, "--tlsMode", "requireTLS", "--tlsCAFile", s.CAFile, "--tlsCertificateKeyFile", s.certificate(member),
			"--tlsAllowConnectionsWithoutCertificates") // clients show passwords instead
	}
	return args
}

// admitSupervisor makes a client of the supervisor's one that is let in: by members as they let
// each other in, without asking anybody, and by query routers, which have no database local, as
// AdminUser. That one is made on the config servers before the first router starts.
func (s *security) admitSupervisor(kind layout.Kind, o *options.ClientOptions) {
	if s.encrypts() {
		o.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots})
	}
	switch {
	case !s.authenticates():
	case kind == layout.Router:
		o.SetAuth(options.Credential{AuthMechanism: "SCRAM-SHA-256", AuthSource: "admin", Username: AdminUser, Password: s.Password})
	default:
		o.SetAuth(options.Credential{AuthMechanism: "SCRAM-SHA-256", AuthSource: "local", Username: "__system", Password: s.key})
	}
}

// uri is a connection string, with name and password only if secrets.
func (s *security) uri(host string, direct, secrets bool) string {
	u := url.URL{Scheme: "mongodb", Host: host, Path: "/"}
	query := url.Values{}
	if direct {
		query.Set("directConnection", "true")
	}
	if s.encrypts() {
		query.Set("tls", "true")
		query.Set("tlsCAFile", s.CAFile)
	}
	if secrets && s.authenticates() {
		u.User = url.UserPassword(AdminUser, s.Password)
		query.Set("authSource", "admin")
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// access is the public part.
func (s *security) access() *cluster.Access {
	if s == nil {
		return nil
	}
	return &cluster.Access{Authentication: s.authenticates(), TLS: s.encrypts()}
}

// codeUserExists is what createUser answers when an earlier attempt succeeded without being heard.
const codeUserExists = 51003

// createAdmin makes the first user of a replica set: on the config servers the cluster's, on a shard that of clients who connect to
// its members directly.
func createAdmin(ctx context.Context, p *process) error {
	if !p.security.authenticates() {
		return nil
	}
	err := replica.Persist(ctx, p, bson.D{
		{Key: "createUser", Value: AdminUser}, {Key: "pwd", Value: p.security.Password}, {Key: "roles", Value: bson.A{"root"}},
		// A majority of a set that is being formed is not there yet; the cluster is ready only when everybody has copied.
		{Key: "writeConcern", Value: bson.M{"w": 1}},
	})
	if passing.HasCode(err, codeUserExists) {
		return nil
	}
	return err
}
