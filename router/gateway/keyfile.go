package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/geoshard/geoshard/signing"
)

const (
	secretSize  = 32
	mostKeyFile = 64 << 10
	// leastToken is what a token of random letters needs so that nobody guesses it.
	leastToken = 16
)

// NewKeyLine makes a line of a key file.
func NewKeyLine(id string) (string, error) {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	if _, err := signing.NewKey(id, secret); err != nil {
		return "", err
	}
	return id + " " + base64.StdEncoding.EncodeToString(secret), nil
}

// ReadKeyFile reads the keys of affinity cookies: a name and a secret in base64 on each line. The first signs, all verify. A file that others can read is
// refused.
func ReadKeyFile(file string) (*signing.Keyring, error) {
	text, err := readSecret(file)
	if err != nil {
		return nil, fmt.Errorf("read the cookie keys: %w", err)
	}
	var keys []signing.Key
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, secret, _ := strings.Cut(line, " ")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret))
		key, keyErr := signing.NewKey(id, raw)
		if err != nil || keyErr != nil { // its text is not shown: it may quote the secret
			return nil, &Error{Err: fmt.Errorf("read the cookie keys: %s: line %d is no key", file, n), Help: "each line is a name, a space and a secret, as geoshard router key NAME prints it"}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, &Error{Err: fmt.Errorf("read the cookie keys: %s has none", file), Help: "write one with geoshard router key NAME"}
	}
	return signing.NewKeyring(keys[0], keys[1:]...)
}

// ReadTokenFile reads the bearer token of the admin API. A file that others can read is refused.
func ReadTokenFile(file string) (string, error) {
	text, err := readSecret(file)
	if err != nil {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	token := strings.TrimSpace(text)
	if len(token) < leastToken || strings.ContainsAny(token, " \r\n\t") {
		return "", &Error{Err: fmt.Errorf("read the admin token: %s has to hold one word of at least %d characters", file, leastToken), Help: "write one: (umask 077; openssl rand -hex 32 > " + file + ")"}
	}
	return token, nil
}

// readSecret reads a small file that nobody else can read. It looks at the file that it has opened, not at its name.
func readSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", file)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return "", &Error{Err: fmt.Errorf("others can read %s (mode %s)", file, info.Mode().Perm()), Help: "chmod 600 " + file}
	}
	text, err := io.ReadAll(io.LimitReader(f, mostKeyFile+1))
	if err == nil && len(text) > mostKeyFile {
		err = errors.New(file + " is too long")
	}
	return string(text), err
}
