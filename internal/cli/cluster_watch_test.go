package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/topology"
)

// A toldView is a view whose status is told by a function.
type toldView struct {
	cluster.View
	world  *topology.Topology
	status func() (cluster.Status, error)
}

func (v toldView) Topology() *topology.Topology                   { return v.world }
func (v toldView) Status(context.Context) (cluster.Status, error) { return v.status() }
func (v toldView) URI(topology.DatacenterID) (string, error)      { return "mongodb://127.0.0.1:1/", nil }

// Watching ends with Ctrl-C, and that is no failure; a cluster that is gone is one.
func TestWatchStatus(t *testing.T) {
	world := presetWorld(t, "ogilvy")
	gone := errors.New("gone")
	for name, c := range map[string]struct {
		looks int
		last  func(cancel func()) error
		want  error
	}{
		"interrupted":           {1, func(cancel func()) error { cancel(); return nil }, nil},
		"interrupted in a look": {1, func(cancel func()) error { cancel(); return gone }, nil},
		"the cluster ends":      {2, func(func()) error { return gone }, gone},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		env, stdout, _ := testEnvironment()
		looks := 0
		view := toldView{world: world, status: func() (cluster.Status, error) {
			if looks++; looks == c.looks {
				return healthy(world), c.last(cancel)
			}
			return healthy(world), nil
		}}
		err := env.look(ctx, true, func(ctx context.Context) error { return env.showStatus(ctx, view, withoutSecrets) })
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) || looks != c.looks {
			t.Errorf("%s: got %v after %d looks, want %v after %d", name, err, looks, c.want, c.looks)
		}
		if strings.Contains(stdout.String(), "\x1b") {
			t.Errorf("%s: the screen of no terminal was cleared", name)
		}
	}
}

func TestPrintLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, stdout, _ := testEnvironment()
	if err := env.printLog(t.Context(), path, false); err != nil || stdout.String() != "one\ntwo\n" {
		t.Errorf("got %q, %v", stdout, err)
	}
	if err := env.printLog(t.Context(), path+"none", false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env, stdout, _ = testEnvironment()
	if err := env.printLog(ctx, path, true); err != nil || stdout.String() != "one\ntwo\n" {
		t.Errorf("following, interrupted: got %q, %v", stdout, err)
	}
}
