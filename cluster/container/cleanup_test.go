package container_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	docker "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/oklog/ulid/v2"

	"github.com/geoshard/geoshard/cluster/container"
	"github.com/geoshard/geoshard/internal/dockertest"
	"github.com/geoshard/geoshard/internal/testkit"
)

// one datacenter with one shard of one member.
const one = `version: 1
datacenters:
  HERE: {name: Here}
shards:
  s0: {members: [{dc: HERE, priority: 1}]}
zones:
  Z0: {shards: [s0]}
`

// removedWithin bounds the removal of a small cluster, one container after the other, on a busy machine.
const removedWithin = 4 * time.Minute

// endingEnv makes a second process of this test binary run a cluster and then end in the way it names.
const endingEnv = "GEOSHARD_CONTAINER_ENDING"

// runEnding is the second process.
func runEnding(t *testing.T, how string) {
	c := dockertest.Run(t, container.WithTopology(parse(t, one)))
	os.Stderr.WriteString("started " + c.Name() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the first process says so, or kills this one
	if how == "panic" {
		go panic("on purpose") // in a goroutine: no cleanup of the test runs then
		select {}
	}
}

// No container and no network stays, however a program ends. Both run side by side until then: clusters do not disturb each other. What nobody has removed, because even the
// watching process was killed, the next start removes.
func TestNothingStaysBehind(t *testing.T) {
	if how := os.Getenv(endingEnv); how != "" {
		runEnding(t, how)
		return
	}
	t.Parallel()
	api := dockertest.Client(t)
	abandoned := abandon(t, api)
	endings := []string{"panic", "killed"}
	others := make([]*other, len(endings))
	var starting sync.WaitGroup
	for i, how := range endings {
		starting.Go(func() { others[i] = startOther(t, how) })
	}
	starting.Wait()
	if n := left(t, api, abandoned); n != 0 {
		t.Errorf("%d containers and networks are still there of a program that had ended before others started", n)
	}
	for i, how := range endings {
		if others[i] == nil {
			t.Fatalf("%s: it ran no cluster", how)
		}
		others[i].end(t, api)
		t.Run(how, func(t *testing.T) { awaitNothing(t, api, others[i].id) })
	}
}

// An other is a second process with a cluster.
type other struct {
	how   string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner // of its standard error
	id    string         // of its cluster
}

// startOther returns nil, and has failed the test, if the process runs no cluster.
func startOther(t *testing.T, how string) *other {
	o := &other{how: how, cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingStaysBehind$", "-test.timeout=5m")}
	o.cmd.Env = append(os.Environ(), endingEnv+"="+how)
	o.cmd.WaitDelay = 10 * time.Second
	stderr, err := o.cmd.StderrPipe()
	if err == nil {
		o.stdin, err = o.cmd.StdinPipe()
	}
	if err == nil {
		err = o.cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	o.lines = bufio.NewScanner(stderr)
	for o.lines.Scan() {
		if _, id, ok := strings.Cut(o.lines.Text(), "started "); ok {
			o.id = id
			return o
		}
	}
	t.Errorf("%s: it ended with %v", how, o.cmd.Wait())
	return nil
}

// end lets it end in its way.
func (o *other) end(t *testing.T, api client.APIClient) {
	t.Helper()
	if ran := left(t, api, o.id); ran != 5 {
		t.Errorf("%s: %d containers and networks, want the box, 3 members and 1 network", o.how, ran)
	}
	var err error
	if o.how == "killed" {
		err = o.cmd.Process.Kill()
	} else {
		err = o.stdin.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for o.lines.Scan() { // the rest of a panic's output
	}
	if err := o.cmd.Wait(); err == nil {
		t.Error("the second process ended well")
	}
}

// left counts the containers and networks of a cluster.
func left(t *testing.T, api client.APIClient, id string) int {
	t.Helper()
	of := client.Filters{}.Add("label", "geoshard.cluster="+id)
	containers, err := api.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: of})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := api.NetworkList(t.Context(), client.NetworkListOptions{Filters: of})
	if err != nil {
		t.Fatal(err)
	}
	return len(containers.Items) + len(networks.Items)
}

func awaitNothing(t *testing.T, api client.APIClient, id string) {
	t.Helper()
	took := testkit.Eventually(t, removedWithin, "no container and no network of "+id, func() bool { return left(t, api, id) == 0 })
	t.Logf("all gone after %s", took.Round(100*time.Millisecond))
}

// abandon makes a network and a container as a program that has ended would have left them, and returns the ID of their cluster.
func abandon(t *testing.T, api client.APIClient) string {
	t.Helper()
	program := exec.CommandContext(t.Context(), "true")
	if err := program.Run(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	id := ulid.Make().String()
	labels := map[string]string{"geoshard.cluster": id, "geoshard.owner": fmt.Sprintf("%s/%d", host, program.Process.Pid)}
	if _, err := api.NetworkCreate(t.Context(), "geoshard-abandoned-"+id, client.NetworkCreateOptions{Labels: labels}); err != nil {
		t.Fatal(err)
	}
	_, err = api.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &docker.Config{Image: dockertest.Image(t, api), Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
