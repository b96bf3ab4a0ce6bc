package catalog_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/internal/testkit"
	"github.com/geoshard/geoshard/zones/apply"
	"github.com/geoshard/geoshard/zones/catalog"
)

// The environment of a child process that applies a plan and dies on the way: where, with which cluster, under which name, and towards which world.
const (
	killAtEnv    = "GEOSHARD_TEST_KILL_AT"
	killURIEnv   = "GEOSHARD_TEST_KILL_URI"
	killNameEnv  = "GEOSHARD_TEST_KILL_NAME"
	killWorldEnv = "GEOSHARD_TEST_KILL_WORLD"
)

// The child is this test binary again. It is not a test: it has to die without a word.
func init() {
	if at := os.Getenv(killAtEnv); at != "" {
		if err := applyAndDie(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A killer kills this process at the n-th command that is sent while it is armed: before the command leaves, after its answer has come, or while it is under way.
type killer struct {
	armed atomic.Bool
	sent  atomic.Int64
	n     int64
	when  string
	id    atomic.Int64 // the request that is to be answered
}

func (k *killer) monitor() *event.CommandMonitor {
	answered := func(id int64) {
		if k.when == "after" && id != 0 && id == k.id.Load() {
			die()
		}
	}
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if !k.armed.Load() || k.sent.Add(1) != k.n {
				return
			}
			switch k.when {
			case "before":
				die()
			case "during":
				// A loopback command takes about so long: some of them arrive, some do not, some are being done.
				time.AfterFunc(time.Duration(e.RequestID%8)*200*time.Microsecond, die)
			default:
				k.id.Store(e.RequestID)
			}
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { answered(e.RequestID) },
		Failed:    func(_ context.Context, e *event.CommandFailedEvent) { answered(e.RequestID) },
	}
}

// die ends the process as kill -9 does, and does not return.
func die() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}

func applyAndDie(at string) error {
	k := &killer{}
	if _, err := fmt.Sscanf(at, "%d %s", &k.n, &k.when); err != nil {
		return fmt.Errorf("%s=%q: %w", killAtEnv, at, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	c, err := catalog.Open(ctx, catalog.Options{URI: os.Getenv(killURIEnv), Client: options.Client().SetMonitor(k.monitor())})
	if err != nil {
		return err
	}
	s := swinging{Catalog: c, name: os.Getenv(killNameEnv)}
	plan, err := s.planTo(ctx, os.Getenv(killWorldEnv))
	if err != nil {
		return err
	}
	k.armed.Store(true)
	_, err = apply.Apply(ctx, plan, s.deps(c, catalog.LockOptions{}), killApproval)
	fmt.Printf("%d commands, %d steps\n", k.sent.Load(), len(plan.Steps))
	return err
}

// A killPoint is where an apply is killed: at its n-th command, on the way to a world.
type killPoint struct {
	world, n int
	when     string
}

func (p killPoint) String() string { return fmt.Sprintf("to %d: %s %d", p.world, p.when, p.n) }

// child runs an apply in a process of its own that is killed at a point. It reports whether it lived so long, and if not how many commands it sent.
func (s *swinging) child(t *testing.T, p killPoint) (commands int, killed bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", killAtEnv, p.n, p.when), killURIEnv+"="+s.uri, killNameEnv+"="+s.name, killWorldEnv+"="+s.world(p.world))
	out, err := cmd.CombinedOutput()
	if err == nil {
		if _, err := fmt.Sscanf(string(out), "%d commands", &commands); err != nil {
			t.Fatalf("child: %v\n%s", err, out)
		}
		return commands, false
	}
	if !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v\n%s", err, out)
	}
	return 0, true
}

// chosen are count of the points of a way that takes so many commands, evenly spread over all of them. The seed decides where they begin, so that after many runs
// each has had its turn.
func chosen(world, commands, count int, seed uint64) []killPoint {
	var all []killPoint
	for _, when := range []string{"before", "after", "during"} {
		for n := range commands {
			all = append(all, killPoint{world, n + 1, when})
		}
	}
	count = min(count, len(all))
	points := make([]killPoint, count)
	for i := range points {
		points[i] = all[(int(seed%uint64(len(all)))+i*len(all)/count)%len(all)]
	}
	return points
}

// lanes is how many applies are killed side by side, each with collections, zones, a journal and a lease of its own.
const lanes = 4

// The process is killed with SIGKILL before, after and during commands that an apply sends. The second run, with the same plan or with a new one, ends in the same state as
// an apply that nobody killed. An ordinary run takes some of the points, a soak all; in memory TestApplyConvergesAfterAKillAtAnyCall takes all of them always.
func TestApplyConvergesAfterSIGKILL(t *testing.T) {
	t.Parallel()
	count, seed := testkit.Count(t, "kill points of each of two ways", 15, 1000), testkit.Seed(t)
	var killed, lived, late atomic.Int64
	began := time.Now()
	t.Run("points", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint(lane), func(t *testing.T) {
				t.Parallel()
				s := newSwinging(t, fmt.Sprintf("killed%d", lane))
				var ways [2][]killPoint
				for _, world := range []int{1, 0} {
					s.begin(t, world)
					commands, _ := s.child(t, killPoint{world: world, when: "never"})
					ways[world] = chosen(world, commands, count, seed)
				}
				for i := lane; i < max(len(ways[0]), len(ways[1])); i += lanes {
					for _, world := range []int{1, 0} { // there and back, so that each begins where the other ends
						s.begin(t, world)
						if i >= len(ways[world]) {
							s.goTo(t, world)
							continue
						}
						if !s.isKilled(t, ways[world][i], &late) {
							lived.Add(1)
							continue
						}
						killed.Add(1)
					}
				}
			})
		}
	})
	t.Logf("%d applies were killed (what was under way arrived late in %d), %d were done before their point, in %s", killed.Load(), late.Load(), lived.Load(), time.Since(began).Round(time.Second))
	if killed.Load() < 9*lived.Load() || killed.Load() == 0 {
		t.Errorf("%d applies were killed and %d not, want at least nine of ten", killed.Load(), lived.Load())
	}
}
