package zones_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// forward listens at an address of this machine and passes what comes to another one. It counts connections until the test ends.
func forward(t *testing.T, to string) (address string, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	connections = &atomic.Int64{}
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // closed
			}
			connections.Add(1)
			go func() {
				defer from.Close()
				onto, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer onto.Close()
				context.AfterFunc(t.Context(), func() { _ = from.Close(); _ = onto.Close() })
				go func() { _, _ = io.Copy(onto, from); _ = onto.Close() }()
				_, _ = io.Copy(from, onto)
			}()
		}
	}()
	return listener.Addr().String(), connections
}

// verifies proves a cluster by the command line: how to log in to its router and to its shards stands in files, and a member is reached at another address.
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
	address, connections := forward(t, u.Host)
	args := []string{"verify", "-f", file(t, "geoshard.yaml", world), "--uri-file", file(t, "router.uri", router+"\n")}
	for _, c := range []struct {
		name  string
		flags []string
		code  int
		want  string
	}{
		{"nobody logs in to the shards", nil, 1, "log in to the shards as a user with the roles clusterMonitor, readAnyDatabase and, from MongoDB 8.0 on, directShardOperations (--shard-credentials)"},
		{"the shards' users", []string{"--shard-credentials", file(t, "shards.uri", member)}, 0, "clean: "},
		{"another address", []string{"--shard-credentials", file(t, "shards.uri", member), "--host-map", u.Host + "=" + address}, 0, "clean: "},
		{"an address where nobody listens", []string{"--shard-credentials", file(t, "shards.uri", member), "--host-map", u.Host + "=127.0.0.1:1"}, 1, "member not reachable: shard " + string(shard.ID)},
		{"no connection string", []string{"--shard-credentials", file(t, "shards.uri", "amy:sesame")}, 1, "read the connection string of --shard-credentials"},
	} {
		before := connections.Load()
		code, output := geoshard(t, append(args, c.flags...)...)
		if code != c.code || !strings.Contains(output, c.want) {
			t.Errorf("%s: got exit code %d, want %d and %q:\n%s", c.name, code, c.code, c.want, output)
		}
		if through := connections.Load() > before; through != (c.name == "another address") {
			t.Errorf("%s: the other address was used: %v", c.name, through)
		}
		password, _ := u.User.Password()
		if strings.Contains(output, password) || strings.Contains(output, "sesame") {
			t.Errorf("%s: the output shows a password:\n%s", c.name, output)
		}
	}
}
