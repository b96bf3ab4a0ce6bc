package local_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

// attached checks that another process sees and does what the supervisor sees and does.
func attached(t *testing.T, c *local.Cluster) {
	ctx := t.Context()
	root := filepath.Dir(c.Dir())
	r, err := local.Attach(ctx, c.Name(), root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c.Topology(), r.Topology(), cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("topology (-supervisor +attached):\n%s", diff)
	}
	for _, dc := range c.Topology().Datacenters {
		want, _ := c.URI(dc.ID)
		if got, err := r.URI(dc.ID); err != nil || got != want {
			t.Errorf("URI of %s: got %s, %v, want %s", dc.ID, got, err, want)
		}
	}
	if err := r.Kill(ctx, "nyc/nowhere"); !errors.Is(err, topology.ErrUnknownMember) || clustertest.Hint(err) == "" {
		t.Errorf("kill of an unknown member: got %v, want ErrUnknownMember with a hint", err)
	}
	if err := r.Apply(ctx, wan.Cut{}); !errors.Is(err, cluster.ErrBadFault) {
		t.Errorf("bad fault: got %v, want ErrBadFault", err)
	}
	if err := r.Apply(ctx, wan.Delay{A: "NYC", B: "LON", RTT: 90 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	status, err := r.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"delay NYC LON 90ms"}; !cmp.Equal(status.Faults, want) {
		t.Errorf("got faults %q, want %q", status.Faults, want)
	}
	if err := r.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	dialer, err := r.Dialer(ctx, "SYD")
	if err != nil {
		t.Fatal(err)
	}
	uri, err := r.MemberURI("nyc/NYC")
	if err != nil {
		t.Fatal(err)
	}
	if err := connect(t, options.Client().ApplyURI(uri).SetDialer(dialer)).Ping(ctx, nil); err != nil {
		t.Errorf("ping through the attached dialer: %v", err)
	}
	if _, err := local.Start(ctx, local.Options{Name: c.Name(), Dir: root, Topology: c.Topology()}); !errors.Is(err, cluster.ErrRunning) {
		t.Errorf("second start: got %v, want ErrRunning", err)
	}
	guarded(t, filepath.Join(c.Dir(), "state.json"))
}

// guarded checks that the control API answers nobody without the token, and that only the owner can read it.
func guarded(t *testing.T, stateFile string) {
	t.Helper()
	info, err := os.Stat(stateFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("state file: got mode %o, want 600", got)
	}
	address := controlAddress(t, stateFile)
	for _, token := range []string{"", "Bearer ", "Bearer wrong"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("token %q: got %s, want 401", token, response.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func controlAddress(t *testing.T, stateFile string) string {
	t.Helper()
	encoded, err := os.ReadFile(stateFile)
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Control string }
	if err := json.Unmarshal(encoded, &state); err != nil {
		t.Fatal(err)
	}
	return state.Control
}
