package zones_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/mongobin"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/zones/catalog"
)

// An authority signs certificates of a test, each into a file with its key.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = a.newKey()
	template := a.template(pkix.Name{CommonName: name}, "127.0.0.1")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", &pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) template(subject pkix.Name, address string) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		a.t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.ParseIP(address)},
	}
}

// issue signs a certificate of a client, or of a server at 127.0.0.1, and returns the path of its file.
func (a *authority) issue(name string, subject pkix.Name) string {
	a.t.Helper()
	return a.issueAt("127.0.0.1", name, subject)
}

// issueAt signs a certificate of a server at another address.
func (a *authority) issueAt(address, name string, subject pkix.Name) string {
	a.t.Helper()
	key := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, a.template(subject, address), a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name, &pem.Block{Type: "CERTIFICATE", Bytes: der}, &pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

func (a *authority) write(name string, blocks ...*pem.Block) string {
	a.t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a *authority) ca() string { return filepath.Join(a.dir, "ca.pem") }

// guardedMongod starts one mongod that wants TLS and a login by password or certificate, and returns its address.
func guardedMongod(t *testing.T, a *authority) string {
	t.Helper()
	tools, err := mongobin.Ensure(t.Context(), mongobin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(address)
	log := filepath.Join(t.TempDir(), "log")
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, tools.Mongod, "--dbpath", t.TempDir(), "--logpath", log, "--bind_ip", "127.0.0.1", "--port", port, "--nounixsocket", "--auth", "--wiredTigerCacheSizeGB", "0.25",
		"--tlsMode", "requireTLS", "--tlsCAFile", a.ca(), "--tlsCertificateKeyFile", a.issue("server.pem", pkix.Name{CommonName: "server", Organization: []string{"servers"}}),
		"--tlsAllowConnectionsWithoutCertificates", "--setParameter", "authenticationMechanisms=SCRAM-SHA-256,MONGODB-X509")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was killed
		if text, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("the end of mongod's log:\n%s", text[max(0, len(text)-3000):])
		}
	})
	return address
}

// addUsers adds a user with a password, and one with a certificate, by way of the localhost exception: the first user needs no login.
func addUsers(t *testing.T, a *authority, address, subject string) {
	t.Helper()
	run := func(uri, db string, cmd bson.D) {
		t.Helper()
		client, err := mongo.Connect(options.Client().ApplyURI(uri).SetServerSelectionTimeout(2 * time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Disconnect(context.Background()) }()
		if err := client.Database(db).RunCommand(t.Context(), cmd).Err(); err != nil {
			t.Fatalf("%s: %v", cmd[0].Key, err)
		}
	}
	open := "mongodb://" + address + "/?directConnection=true&tls=true&tlsCAFile=" + url.QueryEscape(a.ca())
	run(open, "admin", bson.D{{Key: "createUser", Value: "amy"}, {Key: "pwd", Value: "sesame"}, {Key: "roles", Value: bson.A{"root"}}})
	amy := strings.Replace(open, "mongodb://", "mongodb://amy:sesame@", 1) + "&authSource=admin"
	role := bson.D{{Key: "role", Value: "clusterMonitor"}, {Key: "db", Value: "admin"}}
	run(amy, "$external", bson.D{{Key: "createUser", Value: subject}, {Key: "roles", Value: bson.A{role}}})
}

// TLS, passwords (SCRAM) and certificates (X.509), by the connection string, by options and by the command's flags, against a mongod that enforces them. A login that succeeds is
// told from one that is refused: the first is answered that a mongod is no query router.
func TestLoginsByPasswordAndCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "authority")
	ann := a.issue("ann.pem", pkix.Name{CommonName: "ann", OrganizationalUnit: []string{"clients"}})
	bob := a.issue("bob.pem", pkix.Name{CommonName: "bob", OrganizationalUnit: []string{"clients"}}) // no user
	eve := newAuthority(t, "another authority").issue("eve.pem", pkix.Name{CommonName: "ann", OrganizationalUnit: []string{"clients"}})
	address := guardedMongod(t, a)
	addUsers(t, a, address, "CN=ann,OU=clients")

	uri := func(user string, options ...string) string {
		return "mongodb://" + user + address + "/?" + strings.Join(append(options, "tls=true", "tlsCAFile="+url.QueryEscape(a.ca())), "&")
	}
	byCertificate := func(file string) string {
		return uri("", "authMechanism=MONGODB-X509", "tlsCertificateKeyFile="+url.QueryEscape(file))
	}
	for name, c := range map[string]struct {
		uri  string
		want error
	}{
		"a password":                         {uri("amy:sesame@", "authSource=admin"), topology.ErrNoQueryRouter},
		"a wrong password":                   {uri("amy:hunter2@", "authSource=admin"), catalog.ErrLogin},
		"a certificate":                      {byCertificate(ann), topology.ErrNoQueryRouter},
		"a certificate of nobody":            {byCertificate(bob), catalog.ErrLogin},
		"a certificate of another authority": {byCertificate(eve), catalog.ErrLogin},
		"no certificate":                     {uri("", "authMechanism=MONGODB-X509"), catalog.ErrLogin},
		"no authority":                       {"mongodb://amy:sesame@" + address + "/?authSource=admin&tls=true", catalog.ErrUnreachable},
		"no TLS":                             {"mongodb://amy:sesame@" + address + "/?authSource=admin", catalog.ErrUnreachable},
	} {
		_, err := catalog.Open(t.Context(), catalog.Options{URI: c.uri, Within: 5 * time.Second})
		var told *catalog.Error
		if !errors.Is(err, c.want) || !errors.As(err, &told) || told.Hint() == "" || strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %v with a hint and without a password", name, err, c.want)
			continue
		}
		t.Logf("%s: %v\n    %s", name, err, told.Hint())
	}

	pair, err := tls.LoadX509KeyPair(ann, ann)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	o := options.Client().SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}}).SetAuth(options.Credential{AuthMechanism: "MONGODB-X509"})
	if _, err := catalog.Open(t.Context(), catalog.Options{URI: "mongodb://" + address, Client: o}); !errors.Is(err, topology.ErrNoQueryRouter) {
		t.Errorf("a certificate by options: got %v, want ErrNoQueryRouter", err)
	}
	// The server's own word for who was logged in by the connection string.
	var status struct {
		Info struct {
			Users []struct{ User, DB string } `bson:"authenticatedUsers"`
		} `bson:"authInfo"`
	}
	if err := connect(t, byCertificate(ann)+"&directConnection=true").Database("admin").RunCommand(t.Context(), bson.D{{Key: "connectionStatus", Value: 1}}).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(status.Info.Users); got != "[{CN=ann,OU=clients $external}]" {
		t.Errorf("logged in: got %s", got)
	}

	world, x509URI := file(t, "geoshard.yaml", guarded), file(t, "x509.uri", "mongodb://"+address+"/?authMechanism=MONGODB-X509")
	for _, c := range []struct {
		name, certificate, want string
	}{
		{"flags: a certificate", ann, "not a query router: it is a server by itself"},
		{"flags: a certificate of nobody", bob, "the login was refused"},
		{"flags: no such file", filepath.Join(t.TempDir(), "none.pem"), "none.pem"},
	} {
		code, output := geoshard(t, "plan", "-f", world, "--uri-file", x509URI, "--tls-ca-file", a.ca(), "--tls-certificate-key-file", c.certificate)
		if code != 1 || !strings.Contains(output, c.want) {
			t.Errorf("%s: got exit code %d, want 1 and %q:\n%s", c.name, code, c.want, output)
		}
	}
}
