package box

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/topology"
	"github.com/geoshard/geoshard/wan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// On this machine, where 127.0.0.0/9 is New York and the rest of 127/8 London, the box answers for a member, delays what comes from the other datacenter, cuts
// and heals, and lets in nobody without its token.
func TestABoxStandsBetweenDatacenters(t *testing.T) {
	echo := serve(t)
	port, control := free(t), free(t)
	config := Config{
		Token: "secret", APIPort: free(t),
		Datacenters: []Datacenter{{"NYC", netip.MustParsePrefix("127.0.0.0/9")}, {"LON", netip.MustParsePrefix("127.128.0.0/9")}},
		Links:       []topology.Link{{Between: [2]topology.DatacenterID{"NYC", "LON"}, RTT: 60 * time.Millisecond}},
		Scale:       1,
		Members:     []Member{{Name: "nyc/NYC", DC: "NYC", Port: port, ControlPort: control}},
	}
	api := start(t, config)
	if err := api.StartDelays(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := api.Register(t.Context(), "nyc/NYC", echo); err != nil {
		t.Fatal(err)
	}
	near, far, past := talk(t, "127.0.0.1", port), talk(t, "127.200.0.1", port), talk(t, "127.200.0.1", control)
	t.Logf("near %s, far %s, past the links %s", near, far, past)
	if far < 60*time.Millisecond || near > far || past > far {
		t.Errorf("got %s from the other datacenter, %s from its own, %s past the links; want 60ms only there", far, near, past)
	}

	if err := api.Apply(t.Context(), wan.Cut{From: "NYC", To: "LON"}); err != nil {
		t.Fatal(err)
	}
	state, err := api.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cut NYC LON"}, state.Faults); diff != "" || !state.Links[0].CutAB {
		t.Errorf("state: %+v\n%s", state, diff)
	}
	conn := dialFrom(t, "127.200.0.1", port)
	answered := make(chan time.Time, 1)
	go func() {
		exchange(t, conn)
		answered <- time.Now()
	}()
	select {
	case <-answered:
		t.Error("an answer came over the cut link")
	case <-time.After(200 * time.Millisecond):
	}
	if err := api.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-answered
	if err := api.Forget(t.Context(), "nyc/NYC"); err != nil {
		t.Fatal(err)
	}
	// The connection is refused at once, which the dial may see or the first read.
	if gone, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
		defer gone.Close()
		if _, err := gone.Read(make([]byte, 1)); err == nil {
			t.Error("a member that is gone answers")
		}
	}
	stranger := api
	stranger.Token = "guessed"
	if err := stranger.Heal(t.Context()); err == nil {
		t.Error("a wrong token was let in")
	}
	if err := api.Apply(t.Context(), wan.Cut{From: "NYC", To: "ATLANTIS"}); err == nil {
		t.Error("a fault of an unknown datacenter was taken")
	}
}

// A member's connections are told by its container's present address.
func TestMembersAreToldByAddress(t *testing.T) {
	b := &box{members: map[netip.Addr]string{}, config: Config{
		Datacenters: []Datacenter{{"LON", netip.MustParsePrefix("172.20.0.0/16")}}, Members: []Member{{"nyc/LON", "LON", free(t), free(t)}},
	}}
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.close() }()
	for _, text := range []string{"nyc/LON 172.20.0.5:1", "nyc/LON 172.20.0.9:1"} { // started twice
		if err := b.register(text); err != nil {
			t.Fatal(err)
		}
	}
	for address, want := range map[string]string{"172.20.0.9": "LON nyc/LON true", "172.20.0.5": "LON  true", "10.0.0.1": "  false"} {
		dc, member, known := b.source(&net.TCPAddr{IP: net.ParseIP(address), Port: 1})
		if got := string(dc) + " " + member + " " + strconv.FormatBool(known); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
	if err := b.register("nonsense"); err == nil {
		t.Error("an address that is none was registered")
	}
}

// start runs a box until the test ends.
func start(t *testing.T, config Config) Client {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "box.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, []string{path}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	api := Client{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(config.APIPort)), Token: config.Token}
	testkit.EventuallyNil(t, testkit.Patience, "the box answers", func(ctx context.Context) error {
		_, err := api.State(ctx)
		return err
	})
	return api
}

// serve answers every byte with itself.
func serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func dialFrom(t *testing.T, source string, port int) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := d.DialContext(t.Context(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// talk returns the time of the second exchange over a connection: the first waits for the connection to stand.
func talk(t *testing.T, source string, port int) time.Duration {
	t.Helper()
	conn := dialFrom(t, source, port)
	exchange(t, conn)
	began := time.Now()
	exchange(t, conn)
	return time.Since(began)
}

func exchange(t *testing.T, conn net.Conn) {
	b := []byte{'x'}
	if _, err := conn.Write(b); err != nil {
		t.Errorf("write: %v", err)
		return
	}
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Errorf("read: %v", err)
	}
}
