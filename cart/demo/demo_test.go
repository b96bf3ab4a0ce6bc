package demo_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cart/demo"
	"github.com/geoshard/geoshard/cluster/clustertest"
)

func TestMain(m *testing.M) {
	code := clustertest.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func key() string { return ulid.Make().String() }

func ExampleMain() {
	code := demo.Main(context.Background(), []string{"serve", "--dc", "LON", "--listen", "0.0.0.0:8080"}, os.Stdout, os.Stdout)
	fmt.Println("exit code", code)
	// Output:
	// cartdemo: listen on 0.0.0.0:8080: this address can be reached from other machines, and there is no TLS
	// cartdemo: hint: give --tls-certificate-file and --tls-key-file, or --insecure if something in front has TLS
	// exit code 1
}

// What is in the environment is not in the help, and errors quote no password.
func TestNoConnectionStringIsPrinted(t *testing.T) {
	t.Setenv("GEOSHARD_URI", "mongodb://amy:hunter2@127.0.0.1:1/?nonsense=%zz&authMechanism=NONE")
	for _, args := range [][]string{{"serve", "--help"}, {"setup", "--dc", "LON"}, {"serve", "--dc", "LON"}} {
		var out bytes.Buffer
		demo.Main(t.Context(), args, &out, &out)
		if strings.Contains(out.String(), "hunter2") {
			t.Errorf("%v: got %s", args, out.String())
		}
	}
}

func TestOneClusterIsNamed(t *testing.T) {
	dir := t.TempDir()
	empty, two := filepath.Join(dir, "empty"), filepath.Join(dir, "two")
	for file, text := range map[string]string{empty: "\n", two: "mongodb://a\nmongodb://b\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--name", "x", "--uri", "mongodb://127.0.0.1:1"}, "several clusters are named"},
		{[]string{"--uri-file", empty, "--uri", "mongodb://127.0.0.1:1"}, "several clusters are named"},
		{[]string{"--uri-file", empty}, "has to hold one line"},
		{[]string{"--uri-file", two}, "has to hold one line"},
		{[]string{"--uri-file", filepath.Join(dir, "absent")}, "read the connection string"},
	} {
		var out bytes.Buffer
		if code := demo.Main(t.Context(), append([]string{"setup", "--dc", "LON"}, c.args...), &out, &out); code != 1 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: got exit code %d, %s", c.args, code, out.String())
		}
	}
}
