package demo

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/geoshard/geoshard/signing"
)

// secretSize is that of HMAC-SHA256's digest.
const secretSize = 32

// NewKeyLine makes a line of a key file.
func NewKeyLine(id string) (string, error) {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	if _, err := signing.NewKey(id, secret); err != nil {
		return "", err
	}
	return id + " " + base64.StdEncoding.EncodeToString(secret), nil
}

// ReadKeyFile reads the keys of causal tokens: a name and a secret in base64 on each line. The first key signs, all verify. A file that others can read
// is refused.
func ReadKeyFile(file string) (*signing.Keyring, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read the token keys: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &Error{Err: fmt.Errorf("read the token keys: others can read %s (mode %s)", file, info.Mode().Perm()), Help: "chmod 600 " + file}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the token keys: %w", err)
	}
	var keys []signing.Key
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := readKey(line)
		if err != nil { // its text is not shown: it may quote the secret
			return nil, &Error{Err: fmt.Errorf("read the token keys: %s: line %d is no key", file, n), Help: "each line is a name, a space and a secret, as cartdemo key NAME prints it"}
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, &Error{Err: fmt.Errorf("read the token keys: %s has none", file), Help: "write one with cartdemo key NAME"}
	}
	return signing.NewKeyring(keys[0], keys[1:]...)
}

func readKey(line string) (signing.Key, error) {
	id, text, _ := strings.Cut(line, " ")
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return signing.Key{}, err
	}
	return signing.NewKey(id, secret)
}

// ownKeys are keys that end with the process.
func ownKeys() (*signing.Keyring, error) {
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails
	key, err := signing.NewKey("own", secret)
	if err != nil {
		return nil, err
	}
	return signing.NewKeyring(key)
}
