package signing

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/geoshard/geoshard/hint"
)

// mostSecretFile is far above what any file of keys has.
const mostSecretFile = 64 << 10

// NewKeyLine makes a line of a key file.
func NewKeyLine(id string) (string, error) {
	secret := make([]byte, leastSecret)
	_, _ = rand.Read(secret) // never fails
	if _, err := NewKey(id, secret); err != nil {
		return "", err
	}
	return id + " " + base64.StdEncoding.EncodeToString(secret), nil
}

// NewOwnKeyring makes a keyring that ends with the process: its one key is random.
func NewOwnKeyring(id string) (*Keyring, error) {
	secret := make([]byte, leastSecret)
	_, _ = rand.Read(secret) // never fails
	key, err := NewKey(id, secret)
	if err != nil {
		return nil, err
	}
	return NewKeyring(key)
}

// ReadKeyFile reads a file of keys: a name and a secret in base64 on each line. The first key signs, all verify. A file that others can read is refused.
// What the keys are ("cookie keys"), and the command that prints a line, are for errors to say.
func ReadKeyFile(file, what, command string) (*Keyring, error) {
	text, err := ReadSecretFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	var keys []Key
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, secret, _ := strings.Cut(line, " ")
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(secret))
		key, keyErr := NewKey(id, raw)
		if err != nil || keyErr != nil { // its text is not shown: it may quote the secret
			return nil, hint.New(fmt.Errorf("read the %s: %s: line %d is no key", what, file, n), "each line is a name, a space and a secret, as "+command+" prints it")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, hint.New(fmt.Errorf("read the %s: %s has none", what, file), "write one with "+command)
	}
	return NewKeyring(keys[0], keys[1:]...)
}

// ReadSecretFile reads a small file that nobody else can read. It looks at the file that it has opened, not at its name.
func ReadSecretFile(file string) (string, error) {
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
		return "", hint.New(fmt.Errorf("others can read %s (mode %s)", file, info.Mode().Perm()), "chmod 600 "+file)
	}
	text, err := io.ReadAll(io.LimitReader(f, mostSecretFile+1))
	if err == nil && len(text) > mostSecretFile {
		err = errors.New(file + " is too long")
	}
	return string(text), err
}
