package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/configs"
	"github.com/geoshard/geoshard/topology"
)

// A course is a cluster that goes through a story, second by second.
type course struct {
	t         *testing.T
	followed  *failovers
	status    cluster.Status
	now       time.Time
	happening []string
}

func newCourse(t *testing.T) *course {
	t.Helper()
	text, err := configs.Read(configs.Default)
	if err != nil {
		t.Fatal(err)
	}
	world, err := topology.Parse(configs.Default, text)
	if err != nil {
		t.Fatal(err)
	}
	c := &course{t: t, followed: newFailovers(world), status: whole(world), now: time.Unix(1_000_000, 0)}
	c.look(0)
	return c
}

// look lets time pass and looks at the members.
func (c *course) look(after time.Duration) {
	c.now = c.now.Add(after)
	told, _ := c.followed.look(c.status, c.now)
	for _, h := range told {
		c.happening = append(c.happening, h.Text)
	}
}

func (c *course) member(name string, role cluster.Role, state cluster.State) {
	for i, m := range c.status.Members {
		if m.Name == name {
			c.status.Members[i].Role, c.status.Members[i].State = role, state
		}
	}
}

func (c *course) want(from, to string, gap, longest time.Duration) {
	c.t.Helper()
	list := c.followed.shown()
	if len(list) == 0 {
		c.t.Fatalf("no failover, want %s to %s", from, to)
	}
	got := list[len(list)-1]
	if got.From != from || got.To != to || got.Gap != millis(gap) || got.Longest != millis(longest) {
		c.t.Errorf("got %+v, want %s to %s after %s, longest write %s", got, from, to, gap, longest)
	}
}

func TestAKilledPrimaryIsAGapAndItsWritesAreHeldOverIt(t *testing.T) {
	c := newCourse(t)
	began := c.now.Add(500 * time.Millisecond)
	c.member("nyc/NYC", cluster.RoleUnknown, cluster.StateDown)
	c.look(time.Second)
	if w := c.followed.without(c.now.Add(time.Second)); w["nyc"] != time.Second || len(w) != 1 {
		t.Errorf("got %v, want nyc to be without a primary for a second", w)
	}
	c.look(time.Second)
	c.followed.wrote(write{"LON", began, c.now})                  // of another shard
	c.followed.wrote(write{"NYC", began, c.now.Add(time.Second)}) // ended before the new primary was seen
	c.member("nyc/LON", cluster.RolePrimary, cluster.StateUp)
	c.look(2 * time.Second)
	c.want("nyc/NYC", "nyc/LON", 3*time.Second, 2500*time.Millisecond)
	c.followed.wrote(write{"NYC", began, c.now.Add(500 * time.Millisecond)}) // and one that ended after
	c.want("nyc/NYC", "nyc/LON", 3*time.Second, 4*time.Second)
	c.followed.wrote(write{"NYC", c.now.Add(time.Second), c.now.Add(time.Minute)}) // begun later: another matter
	c.want("nyc/NYC", "nyc/LON", 3*time.Second, 4*time.Second)
	if w := c.followed.without(c.now); len(w) != 0 {
		t.Errorf("got %v, want all shards to be led", w)
	}
}

// A primary that is cut off goes on holding itself for one, while the others have elected another.
func TestOfTwoPrimariesTheNewOneCounts(t *testing.T) {
	c := newCourse(t)
	c.member("syd/LON", cluster.RolePrimary, cluster.StateUp)
	c.look(time.Second)
	c.want("syd/SYD", "syd/LON", 0, 0)
	c.look(time.Second) // the old one is still there
	c.look(time.Second)
	if n := len(c.followed.list); n != 1 {
		t.Errorf("got %d changes of syd's primary, want 1: %v", n, c.happening)
	}
	c.member("syd/SYD", cluster.RoleSecondary, cluster.StateUp)
	c.look(time.Second)
	c.member("syd/SYD", cluster.RolePrimary, cluster.StateUp) // the hand-back
	c.member("syd/LON", cluster.RoleSecondary, cluster.StateUp)
	c.look(time.Second)
	c.want("syd/LON", "syd/SYD", 0, 0)
}

func TestAPrimaryThatComesBackIsAGapToo(t *testing.T) {
	c := newCourse(t)
	c.member("lon/LON", cluster.RoleUnknown, cluster.StatePaused)
	c.look(time.Second)
	c.member("lon/LON", cluster.RolePrimary, cluster.StateUp)
	c.look(2 * time.Second)
	c.want("lon/LON", "lon/LON", 2*time.Second, 0)
	if got := strings.Join(c.happening, "; "); got != "lon has no primary: an election begins; lon: lon/LON is primary again" {
		t.Errorf("got %q", got)
	}
}

func TestOldFailoversAreForgotten(t *testing.T) {
	c := newCourse(t)
	for range keptFailovers {
		for _, to := range []string{"nyc/LON", "nyc/NYC"} {
			from := map[string]string{"nyc/LON": "nyc/NYC", "nyc/NYC": "nyc/LON"}[to]
			c.member(from, cluster.RoleSecondary, cluster.StateUp)
			c.member(to, cluster.RolePrimary, cluster.StateUp)
			c.look(time.Second)
		}
	}
	if n := len(c.followed.shown()); n != keptFailovers {
		t.Errorf("got %d failovers, want %d", n, keptFailovers)
	}
	for range 2 * keptWrites {
		c.followed.wrote(write{"NYC", c.now, c.now})
	}
	if n := len(c.followed.writes); n != keptWrites {
		t.Errorf("got %d writes, want %d", n, keptWrites)
	}
}

func TestChangesTellWhatIsDifferent(t *testing.T) {
	c := newCourse(t)
	before := c.status
	before.Members = append([]cluster.Member{}, before.Members...)
	before.Faults = []string{"lag nyc/LON 5s"}
	c.member("nyc/SYD", cluster.RoleUnknown, cluster.StateUnreachable)
	c.status.Faults = []string{"isolate SYD"}
	var got []string
	for _, h := range changes(before, c.status) {
		got = append(got, h.Kind+" "+h.Text)
	}
	if want := "bad nyc/SYD is unreachable; bad network: isolate SYD; good network: no more lag nyc/LON 5s"; strings.Join(got, "; ") != want {
		t.Errorf("got %q, want %q", strings.Join(got, "; "), want)
	}
	if again := changes(c.status, c.status); len(again) != 0 {
		t.Errorf("got %v when nothing had changed", again)
	}
}

func TestADatacenterIsCutOffWhenAllItsLinksAre(t *testing.T) {
	links := []linkView{{A: "NYC", B: "LON"}, {A: "NYC", B: "SYD", Cut: true}, {A: "LON", B: "SYD", Cut: true}}
	for dc, want := range map[topology.DatacenterID]bool{"SYD": true, "NYC": false, "LON": false, "XXX": false} {
		if got := cutOff(dc, links); got != want {
			t.Errorf("%s: got %v, want %v", dc, got, want)
		}
	}
}
