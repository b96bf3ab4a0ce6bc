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
	"github.com/geoshard/geoshard/cluster/clustertest"
	"github.com/geoshard/geoshard/cluster/local"
	"github.com/geoshard/geoshard/internal/demo"
	"github.com/geoshard/geoshard/internal/demo/dashboard"
)

// rewrite makes the screenshots of the documentation anew.
var rewrite = os.Getenv("GEOSHARD_GOLDEN") == "rewrite"

const token = "the-token-of-this-test"

// A browsedDemo is the demonstration with its page, and a browser. There is one for the test binary.
type browsedDemo struct {
	world   *demo.World
	url     string
	browser context.Context
	closers []func() error
}

var shared struct {
	once sync.Once
	done chan struct{} // closed when it runs, or has failed to
	demo *browsedDemo
	err  error
	took string
}

func TestMain(m *testing.M) {
	local.ChildMain()
	gin.SetMode(gin.ReleaseMode)
	if chromium() == "" {
		os.Exit(untested())
	}
	code := m.Run()
	if shared.done != nil {
		<-shared.done
		if err := shared.demo.close(); err != nil {
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

// begin lets the demonstration start.
func begin() {
	shared.once.Do(func() {
		shared.done = make(chan struct{})
		shared.demo = &browsedDemo{}
		go func() {
			defer close(shared.done)
			shared.took, shared.err = shared.demo.start()
		}()
	})
}

// running returns the demonstration, which the first test begins.
func running(t *testing.T) *browsedDemo {
	t.Helper()
	clustertest.Needs(t, "the demonstration's own cluster")
	begin()
	<-shared.done
	if shared.err != nil {
		t.Fatalf("start: %v", shared.err)
	}
	t.Log(shared.took)
	return shared.demo
}

func (s *browsedDemo) later(f func() error) { s.closers = append(s.closers, f) }

func (s *browsedDemo) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func (s *browsedDemo) start() (took string, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "geoshard-dashboard-")
	if err != nil {
		return "", err
	}
	s.later(func() error { return os.RemoveAll(dir) })
	name := "dashboard-test"
	if rewrite {
		name = demo.DefaultName // it is in the picture
	}
	if s.world, err = demo.Start(ctx, demo.Options{Name: name, Dir: dir}); err != nil {
		return "", err
	}
	s.later(func() error { return s.world.Close(context.Background()) })
	up := time.Since(began)
	if err := s.serve(); err != nil {
		return "", err
	}
	if err := s.browse(); err != nil {
		return "", fmt.Errorf("start Chromium: %w", err)
	}
	return fmt.Sprintf("the demonstration is up after %s, a browser after %s", up.Round(time.Millisecond), time.Since(began).Round(time.Millisecond)), nil
}

// serve opens the page.
func (s *browsedDemo) serve() error {
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
func (s *browsedDemo) browse() error {
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
func (s *browsedDemo) status(t *testing.T) cluster.Status {
	t.Helper()
	status, err := s.world.Cluster().Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// awaitWhole waits until all members work and all primaries are at home.
func (s *browsedDemo) awaitWhole(t *testing.T) {
	t.Helper()
	clustertest.Await(t, s.world.Cluster(), "all members up, primaries at home, no fault", func(status cluster.Status) bool {
		return status.Whole() && len(status.Faults) == 0
	})
}

// database connects to the query router of a datacenter, to hold the page against.
func (s *browsedDemo) database(t *testing.T) *mongo.Client {
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
