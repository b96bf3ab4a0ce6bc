package mongobin

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user without rights: root writes everywhere, whatever a directory's mode says.
const nobody = 65534

func TestInstallIntoAReadOnlyCache(t *testing.T) {
	alone(t)
	s := newSite(t, goodArchive(t))
	parent, err := os.MkdirTemp("", "mongobin-read-only-") // not t.TempDir: its parents are closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(parent, 0o755); _ = os.RemoveAll(parent) })
	dir := filepath.Join(parent, "cache")
	for name, make_ := range map[string]func() error{
		"cache cannot be made": func() error { return os.Chmod(parent, 0o555) },
		"cache cannot be written": func() error {
			return firstError(os.Chmod(parent, 0o755), os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o555))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := make_(); err != nil {
				t.Fatal(err)
			}
			cmd, out := installer(t, s, dir)
			cmd.Path = "/proc/self/exe" // the path of the test binary is closed to other users, too
			if os.Getuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			if err := cmd.Run(); err == nil {
				t.Fatalf("installed into a read-only directory: %s", out)
			}
			t.Log(out)
			for _, want := range []string{ErrCacheReadOnly.Error(), "hint: point XDG_CACHE_HOME"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("got %q, want %q in it", out, want)
				}
			}
		})
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
