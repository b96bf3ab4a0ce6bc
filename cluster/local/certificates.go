package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// certificateLife is far longer than any cluster on one machine lives.
const certificateLife = 365 * 24 * time.Hour

// An authority signs the certificates of one cluster. Its key is never written down: when all have been signed nobody can make another.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(clusterName string) (*authority, error) {
	key, template := newKey(), certificateFor("geoshard "+clusterName+" authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(signed)
	if err != nil {
		return nil, fmt.Errorf("make certificate authority: %w", err)
	}
	return &authority{certificate: certificate, key: key}, nil
}

func newKey() *ecdsa.PrivateKey {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // never fails
	return key
}

func certificateFor(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // rand.Reader never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"geoshard"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(certificateLife), // an hour for clocks that are set back
	}
}

// issue writes the certificate of one process with its key, as servers want it, in a file that nobody else may read.
func (a *authority) issue(member, path string) error {
	key, template := newKey(), certificateFor(member)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	// Members are servers to clients and clients to each other.
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}
	signed, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("sign certificate of %s: %w", member, err)
	}
	encodedKey, _ := x509.MarshalPKCS8PrivateKey(key) // it is of a kind that can be encoded
	return writeSecret(path, append(pemOf("CERTIFICATE", signed), pemOf("PRIVATE KEY", encodedKey)...))
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func writeSecret(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write secret: %w", err)
	}
	return nil
}
