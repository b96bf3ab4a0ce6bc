// Command hop measures what a hop through the gateway costs, beside a bare ReverseProxy, Caddy, nginx and HAProxy with the same cookie routing.
//
//	go run ./bench/hop                       # all that are installed, 10 rounds for each number of clients
//	go run ./bench/hop -only bare,gateway -rounds 5 -clients 1,32 -body 2048
//
// One process each: the application (three ports, one for each datacenter), and each contestant. They are loaded by turns, in short slices whose order changes from round
// to round, so that whatever else the machine does meets all of them. Each answer is checked to come from the datacenter that the request's signed cookie names.
// Everything listens on the loopback interface, and ends with the run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/geoshard/geoshard/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "hop:", err)
		stop()
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	only    []string
	clients []int
	rounds  int
	slice   time.Duration
	body    int
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("hop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	only := flags.String("only", "", "contestants, separated by commas; empty = all that are installed")
	clients := flags.String("clients", "1,32", "numbers of clients, separated by commas")
	flags.IntVar(&o.rounds, "rounds", 10, "rounds for each number of clients")
	flags.DurationVar(&o.slice, "slice", time.Second, "how long each contestant is loaded in a round")
	flags.IntVar(&o.body, "body", 0, "bytes of a POST's body; 0 = GET")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, text := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return o, fmt.Errorf("%q clients: want 1 to 1000", text)
		}
		o.clients = append(o.clients, n)
	}
	if o.rounds < 1 || o.slice <= 0 || o.body < 0 {
		return o, errors.New("rounds and slice must be positive")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) > 0 && args[0] == "serve" {
		return serve(ctx, args[1:])
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "geoshard-hop-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	field, stop, err := startAll(ctx, dir, o.only, stderr)
	defer stop()
	if err != nil {
		return err
	}
	requests, err := requestsOf(o.body)
	if err != nil {
		return err
	}
	method := "GET"
	if o.body > 0 {
		method = fmt.Sprintf("POST of %d bytes", o.body)
	}
	fmt.Fprintf(stdout, "%s %s/%s, %d CPUs; %d rounds of %s each, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, o.slice, method)
	for _, clients := range o.clients {
		m, err := measure(ctx, field, clients, requests, o)
		if err != nil {
			return err
		}
		m.print(stdout)
	}
	return nil
}

// startAll starts the application and the contestants. stop ends what was started, also after an error.
func startAll(ctx context.Context, dir string, only []string, stderr io.Writer) (field []*contestant, stop func(), err error) {
	var started []*contestant
	stop = func() {
		for _, c := range slices.Backward(started) {
			c.stop()
		}
	}
	addresses, err := freeAddresses(len(places) + len(contestants))
	if err != nil {
		return nil, stop, err
	}
	applications, fronts := addresses[:len(places)], addresses[len(places):]
	begin := func(name, address string, args []string) (*contestant, error) {
		c, err := launch(ctx, name, address, dir, args)
		started = append(started, c)
		return c, err
	}
	app, err := program(roleApplication)
	if err == nil {
		_, err = begin(roleApplication, applications[0], append(app, applications...))
	}
	if err != nil {
		return nil, stop, err
	}
	// The straight way knows one place only, so its requests go to that.
	field = append(field, &contestant{name: straight, version: runtime.Version(), address: applications[0]})
	for i, c := range contestants {
		if len(only) > 0 && !slices.Contains(only, c.name) {
			continue
		}
		args, err := program(c.name)
		if errors.Is(err, exec.ErrNotFound) && len(only) == 0 {
			fmt.Fprintf(stderr, "%s is not installed and left out\n", c.name)
			continue
		}
		if err != nil {
			return nil, stop, err
		}
		s := settings{Listen: fronts[i], NYC: applications[0], LON: applications[1], SYD: applications[2], Dir: dir, Threads: runtime.NumCPU()}
		config, err := configure(c.config, s)
		if err != nil {
			return nil, stop, err
		}
		fill := strings.NewReplacer("LISTEN", s.Listen, "NYC", s.NYC, "LON", s.LON, "SYD", s.SYD, "CONFIG", config, "DIR", dir)
		for _, word := range strings.Fields(c.args) {
			args = append(args, fill.Replace(word))
		}
		one, err := begin(c.name, fronts[i], args)
		if err != nil {
			return nil, stop, err
		}
		one.version = versionOf(ctx, c.name, c.version)
		field = append(field, one)
	}
	return field, stop, nil
}

// straight names the way without a hop.
const straight = "straight"

// requestsOf are the requests of clients whose carts are at home in each of the places.
func requestsOf(body int) ([]request, error) {
	keys, err := cookieKeys()
	if err != nil {
		return nil, err
	}
	var all []request
	for _, place := range places {
		cookie := router.SealCookie(keys, place, time.Now().Add(24*time.Hour))
		head := "GET /v1/cart/items HTTP/1.1\r\n"
		if body > 0 {
			head = fmt.Sprintf("POST /v1/cart/items HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", body)
		}
		text := head + "Host: shop.example\r\nUser-Agent: hop\r\nAccept: application/json\r\nCookie: session=abcdefgh; " + cookieName + "=" + cookie + "\r\n\r\n" + strings.Repeat("x", body)
		all = append(all, request{[]byte(text), place})
	}
	return all, nil
}
