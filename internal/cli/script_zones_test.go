package cli_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/geoshard/geoshard/cluster/local"
)

// checkExitCode runs a program and wants an exit code: scripts can tell failure from success by themselves, but not 1 from 2.
func checkExitCode(want string, command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return complain(err)
	}
	if got := cmd.ProcessState.ExitCode(); strconv.Itoa(got) != want {
		return complain(fmt.Errorf("exit code: got %d, want %s", got, want))
	}
	return 0
}

// interruptAt runs a program and sends it an interrupt (Ctrl-C) when it has written a text on its standard error.
func interruptAt(text string, command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	said, err := cmd.StderrPipe()
	if err != nil {
		return complain(err)
	}
	if err := cmd.Start(); err != nil {
		return complain(err)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		fmt.Fprintln(os.Stderr, lines.Text())
		if strings.Contains(lines.Text(), text) {
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself; the exit code tells
		}
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// fillCluster inserts 100 documents of about 1 kB for each datacenter of a running cluster.
func fillCluster(name, namespace string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := local.Attach(ctx, name, "")
	if err != nil {
		return complain(err)
	}
	db, collection, _ := strings.Cut(namespace, ".")
	var documents []bson.D
	for _, dc := range c.Topology().Datacenters {
		for id := range 100 {
			documents = append(documents, bson.D{{Key: "dc", Value: string(dc.ID)}, {Key: "id", Value: id}, {Key: "pad", Value: make([]byte, 1000)}})
		}
	}
	uri, err := c.URI(c.Topology().Datacenters[0].ID)
	if err != nil {
		return complain(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return complain(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if _, err := client.Database(db).Collection(collection).InsertMany(ctx, documents); err != nil {
		return complain(err)
	}
	return 0
}

// printMemberURI prints the connection string of one member.
func printMemberURI(name, member string) int {
	c, err := local.Attach(context.Background(), name, "")
	if err != nil {
		return complain(err)
	}
	uri, err := c.MemberURI(member)
	if err != nil {
		return complain(err)
	}
	fmt.Println(uri)
	return 0
}
