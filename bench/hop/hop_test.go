package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary plays the roles that the program plays in processes of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A short run with what needs no other program: each answer came from the datacenter that its cookie names, or the run would have failed.
func TestARunMeasuresEachWay(t *testing.T) {
	for _, body := range []string{"0", "700"} {
		var out bytes.Buffer
		err := run(t.Context(), []string{"-only", "bare,gateway", "-rounds", "1", "-slice", "200ms", "-clients", "3", "-body", body}, &out, t.Output())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(out.String())
		for _, name := range []string{straight, roleBare, roleGateway} {
			found := false
			for line := range strings.Lines(out.String()) {
				fields := strings.Fields(line)
				found = found || len(fields) > 8 && fields[0] == name && fields[2] != "0"
			}
			if !found {
				t.Errorf("no figures of %s", name)
			}
		}
	}
}

func TestAnAnswerFromTheWrongPlaceIsAnError(t *testing.T) {
	answer := func(head, body string) *bufio.Reader {
		return bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n") + "\r\n" + body))
	}
	for name, c := range map[string]struct {
		reader *bufio.Reader
		ok     bool
	}{
		"right":        {answer("HTTP/1.1 200 OK\nX-Served-By: LON\nContent-Length: 2\n", "ok"), true},
		"lower case":   {answer("HTTP/1.1 200 OK\nx-served-by: LON\ncontent-length: 2\n", "ok"), true},
		"wrong place":  {answer("HTTP/1.1 200 OK\nX-Served-By: NYC\nContent-Length: 2\n", "ok"), false},
		"wrong status": {answer("HTTP/1.1 502 Bad Gateway\nX-Served-By: LON\nContent-Length: 2\n", "no"), false},
		"cut short":    {answer("HTTP/1.1 200 OK\nX-Served-By: LON\nContent-Length: 20\n", "ok"), false},
		"no length":    {answer("HTTP/1.1 200 OK\nX-Served-By: LON\n", "ok"), false},
	} {
		if err := readAnswer(c.reader, "LON"); (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	a, b := &result{rates: []float64{10, 1000, 20}}, &result{rates: []float64{20, 1000, 10}}
	if got := a.ratio(b); got != 1 {
		t.Errorf("got %v, want the median of 0.5, 1 and 2", got)
	}
	if got := a.ratio(nil); got != 0 {
		t.Errorf("against nobody: got %v, want 0", got)
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-clients", "0"}, {"-clients", "x"}, {"-rounds", "0"}, {"-slice", "-1s"}, {"-body", "-1"}, {"-nonsense"}} {
		if _, err := parse(args, t.Output()); err == nil {
			t.Errorf("%v: accepted", args)
		}
	}
	o, err := parse([]string{"-only", "bare,nginx", "-clients", "1,8", "-slice", "2s"}, t.Output())
	if err != nil || len(o.only) != 2 || len(o.clients) != 2 || o.slice != 2*time.Second {
		t.Errorf("got %+v, %v", o, err)
	}
}
