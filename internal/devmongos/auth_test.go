package devmongos

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Until a client has logged in, nothing is done for it but what every server does for strangers; without users nobody is asked.
func TestAdmit(t *testing.T) {
	key := filepath.Join(t.TempDir(), "keyfile")
	if err := os.WriteFile(key, []byte("some\nsecret "), 0o600); err != nil {
		t.Fatal(err)
	}
	locked, err := newGuard(Config{KeyFile: key})
	if err != nil {
		t.Fatal(err)
	}
	known := login{who: bsoncore.Document{5, 0, 0, 0, 0}}
	refused := 0
	commands := newServer(Config{}, newCore("", &backend{}), nil).commands
	for name := range commands {
		stranger := &client{backend: &backend{guard: locked}}
		err := stranger.admit(name)
		var answer *commandError
		if err != nil && !(errors.As(err, &answer) && answer.Code == codeUnauthorized) {
			t.Errorf("%s: got %v, want Unauthorized", name, err)
		}
		if (err == nil) != openToAll[name] {
			t.Errorf("%s by a stranger: got %v", name, err)
		}
		if err != nil {
			refused++
		}
		for what, c := range map[string]*client{
			"after login": {backend: &backend{guard: locked}, login: known},
			"no users":    {backend: &backend{}},
		} {
			if err := c.admit(name); err != nil {
				t.Errorf("%s, %s: got %v", name, what, err)
			}
		}
	}
	for name := range openToAll {
		if commands[name] == nil {
			t.Errorf("%s is open to all but not known", name)
		}
	}
	t.Logf("%d commands, %d refused to strangers", len(commands), refused)
}

// What cannot be read is an error at the start, not at the first connection.
func TestGuardWithoutItsFiles(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]Config{
		"no keyfile":     {KeyFile: filepath.Join(dir, "none")},
		"no certificate": {CertificateKeyFile: filepath.Join(dir, "none"), CAFile: junk},
		"junk":           {CertificateKeyFile: junk, CAFile: junk},
	} {
		if _, err := newGuard(cfg); err == nil {
			t.Errorf("%s: got no error", what)
		} else {
			t.Logf("%s: %v", what, err)
		}
	}
}
