package zones_test

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/geoshard/geoshard/internal/cli"
)

// geoshard runs the command as a user without settings does. It returns its exit code and all that it wrote.
func geoshard(t *testing.T, args ...string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	code = cli.Main(t.Context(), args, strings.NewReader(""), &out, &out)
	return code, out.String()
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// verifies proves a cluster by the command line: how to log in to its router and to its shards stands in files.
func (s access) verifies(t *testing.T, world string) {
	t.Helper()
	dc, shard := s.cluster.Topology().Datacenters[0].ID, s.cluster.Topology().Shards[0]
	router, err := s.cluster.SecretURI(dc)
	if err != nil {
		t.Fatal(err)
	}
	member, err := s.cluster.SecretMemberURI(shard.MemberName(0))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(member)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "-f", file(t, "geoshard.yaml", world), "--uri-file", file(t, "router.uri", router+"\n")}
	for _, c := range []struct {
		name  string
		flags []string
		code  int
		want  string
	}{
		{"nobody logs in to the shards", nil, 1, "log in to the shards as a user with the roles clusterMonitor, readAnyDatabase and, from MongoDB 8.0 on, directShardOperations (--shard-credentials)"},
		{"the shards' users", []string{"--shard-credentials", file(t, "shards.uri", member)}, 0, "clean: "},
		{"an address where nobody listens", []string{"--shard-credentials", file(t, "shards.uri", member), "--host-map", u.Host + "=127.0.0.1:1"}, 1, "member not reachable: shard " + string(shard.ID)},
		{"no connection string", []string{"--shard-credentials", file(t, "shards.uri", "amy:sesame")}, 1, "read the connection string of --shard-credentials"},
	} {
		code, output := geoshard(t, append(args, c.flags...)...)
		if code != c.code || !strings.Contains(output, c.want) {
			t.Errorf("%s: got exit code %d, want %d and %q:\n%s", c.name, code, c.code, c.want, output)
		}
		password, _ := u.User.Password()
		if strings.Contains(output, password) || strings.Contains(output, "sesame") {
			t.Errorf("%s: the output shows a password:\n%s", c.name, output)
		}
	}
	s.throughTunnels(t, args, u)
}
