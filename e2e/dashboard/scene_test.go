package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/internal/demo/dashboard"
)

// rewrite makes the screenshots of the documentation anew.
var rewrite = os.Getenv("GEOSHARD_GOLDEN") == "rewrite"

// electionTimeout is long enough for a machine that does other things beside: there must be no elections but those of the tests.
const electionTimeout = 6 * time.Second

// patience is how long anything may take on a machine that is busy with other tests.
const patience = 2 * time.Minute

const token = "the-token-of-this-test"

// A scene is the demonstration with its page, and a browser. There is one for the test binary.
type scene struct {
	world   *demo.World
	url     string
	browser context.Context
	closers []func() error
}

var shared struct {
	once  sync.Once
	scene *scene
	err   error
}

func TestMain(m *testing.M) {
	local.ChildMain()
	gin.SetMode(gin.ReleaseMode)
	if chromium() == "" {
		os.Exit(untested())
	}
	code := m.Run()
	if shared.scene != nil {
		if err := shared.scene.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// untested says that nothing was tested, which is a failure where somebody relies on it.
func untested() int {
	fmt.Fprintln(os.Stderr, "NOT TESTED: the dashboard. There is no Chromium on PATH (Debian's package: chromium).")
	if os.Getenv("GEOSHARD_REQUIRE_CHROMIUM") == "1" {
		return 1
	}
	return 0
}

// chromium is the path of a Chromium or Chrome, "" where there is none.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// running returns the scene, which the first test starts.
func running(t *testing.T) *scene {
	t.Helper()
	shared.once.Do(func() {
		shared.scene = &scene{}
		shared.err = shared.scene.start(t)
	})
	if shared.err != nil {
		t.Fatalf("start: %v", shared.err)
	}
	return shared.scene
}

func (s *scene) later(f func() error) { s.closers = append(s.closers, f) }

func (s *scene) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func (s *scene) start(t *testing.T) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "geoshard-dashboard-")
	if err != nil {
		return err
	}
	s.later(func() error { return os.RemoveAll(dir) })
	name := "dashboard-test"
	if rewrite {
		name = demo.DefaultName // it is in the picture
	}
	if s.world, err = demo.Start(ctx, demo.Options{Name: name, Dir: dir, ElectionTimeout: electionTimeout}); err != nil {
		return err
	}
	s.later(func() error { return s.world.Close(context.Background()) })
	up := time.Since(began)
	if err := s.serve(); err != nil {
		return err
	}
	if err := s.browse(); err != nil {
		return fmt.Errorf("start Chromium: %w", err)
	}
	t.Logf("the demonstration is up after %s, a browser after %s", up.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return nil
}

// serve opens the page.
func (s *scene) serve() error {
	d, err := dashboard.New(dashboard.Options{World: s.world, Token: token, Keys: s.world.Tokens()})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.url = "http://" + listener.Addr().String() + "/"
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- dashboard.Serve(ctx, d, listener) }()
	s.later(func() error {
		stop()
		return <-served
	})
	return nil
}

// browse starts the browser, in which each test has a tab of its own.
func (s *scene) browse() error {
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium()), chromedp.Flag("hide-scrollbars", true))
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium's sandbox refuses root; the page is our own
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	browser, cancel := chromedp.NewContext(allocator)
	s.later(func() error {
		err := chromedp.Cancel(browser)
		cancel()
		stop()
		return err
	})
	s.browser = browser
	return chromedp.Do(browser)
}

// status asks the cluster itself, not the page.
func (s *scene) status(t *testing.T) cluster.Status {
	t.Helper()
	status, err := s.world.Cluster().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// awaitStatus waits until the cluster itself is as wanted.
func (s *scene) awaitStatus(t *testing.T, what string, wanted func(cluster.Status) bool) {
	t.Helper()
	poll(t, what, func() bool { return wanted(s.status(t)) })
}

// awaitWhole waits until all members work and all primaries are at home.
func (s *scene) awaitWhole(t *testing.T) {
	t.Helper()
	s.awaitStatus(t, "all members up, primaries at home, no fault", func(status cluster.Status) bool {
		return status.Whole() && len(status.Faults) == 0
	})
}

// database connects to the query router of a datacenter, to hold the page against.
func (s *scene) database(t *testing.T) *mongo.Client {
	t.Helper()
	uri, err := s.world.Cluster().URI("NYC")
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

// poll waits until something is so.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	until := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(until) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		<-tick.C
	}
}
