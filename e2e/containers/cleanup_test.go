package containers

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// endingEnv makes a second process of this test binary start one container and then end in the way it names.
const endingEnv = "GEOSHARD_E2E_ENDING"

// runEnding is the second process.
func runEnding(t *testing.T, how string) {
	ctx := t.Context()
	api, image := docker(t)
	c := startMember(ctx, t, api, image, newNetwork(ctx, t), "m0")
	os.Stderr.WriteString("started " + c.GetContainerID() + "\n")
	switch how {
	case "panic":
		panic("on purpose")
	case "killed":
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // ends when the first process kills this one
	}
}

// No container and no network stays, however a run ends; what a killed one leaves, the next one removes.
func TestNothingStaysBehind(t *testing.T) {
	if how := os.Getenv(endingEnv); how != "" {
		runEnding(t, how)
		return
	}
	api, _ := docker(t)
	for _, how := range []string{"panic", "killed"} {
		t.Run(how, func(t *testing.T) {
			pid, started := endRun(t, how)
			left := containers(t, api, func(p int) bool { return p == pid })
			if how == "killed" && len(left) != 1 {
				t.Fatalf("a killed run left %d containers, want the one that it had started (else this test shows nothing)", len(left))
			}
			if how == "killed" {
				removeAbandoned(t, api)
				left = containers(t, api, func(p int) bool { return p == pid })
			}
			if len(left) > 0 {
				t.Errorf("container %s is still there: %v", started, left)
			}
			nets, err := api.NetworkList(t.Context(), client.NetworkListOptions{Filters: client.Filters{}.Add("label", fmt.Sprintf("%s=%d", ownerLabel, pid))})
			if err != nil || len(nets.Items) > 0 {
				t.Errorf("networks still there: %v, %v", nets.Items, err)
			}
		})
	}
}

// endRun lets a second process start a container and end, and returns its pid and the container.
func endRun(t *testing.T, how string) (pid int, started string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingStaysBehind$", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), endingEnv+"="+how)
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && started == "" {
		if _, id, ok := strings.Cut(lines.Text(), "started "); ok {
			started = id
			break
		}
	}
	if started == "" {
		_ = cmd.Wait()
		t.Fatal("the second process started no container")
	}
	if how == "killed" {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	for lines.Scan() { // the rest of a panic's output
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the second process ended well")
	}
	return cmd.Process.Pid, started
}
