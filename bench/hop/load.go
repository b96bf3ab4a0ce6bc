package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A request is what one client sends again and again, and the place that has to answer it.
type request struct {
	bytes []byte
	place string
}

// servedBy is the header in which the application names its place.
const servedBy = "X-Served-By"

// A slice is what a short run of load came to.
type slice struct {
	requests int64
	took     time.Duration
	latency  *hdrhistogram.Histogram // microseconds
}

// newLatency counts microseconds up to a minute, to three digits.
func newLatency() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Minute.Microseconds(), 3) }

// drive loads an address for a while: each client has one connection and sends its next request when it has the answer to the last. Every answer is held against the place
// that it has to come from.
func drive(ctx context.Context, address string, clients int, requests []request, during time.Duration) (slice, error) {
	began := time.Now()
	until := began.Add(during)
	parts := make([]slice, clients)
	errs := make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { parts[i], errs[i] = driveOne(ctx, address, requests, i, until) })
	}
	all.Wait()
	sum := slice{took: time.Since(began), latency: newLatency()}
	for _, p := range parts {
		if p.latency != nil {
			sum.requests += p.requests
			sum.latency.Merge(p.latency)
		}
	}
	return sum, errors.Join(errs...)
}

func driveOne(ctx context.Context, address string, requests []request, first int, until time.Time) (slice, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return slice{}, fmt.Errorf("connect to %s: %w", address, err)
	}
	defer func() { _ = conn.Close() }() // what it carried was read
	if err := conn.SetDeadline(until.Add(30 * time.Second)); err != nil {
		return slice{}, err
	}
	reader := bufio.NewReaderSize(conn, 16<<10)
	out := slice{latency: newLatency()}
	for i := first; time.Now().Before(until) && ctx.Err() == nil; i++ {
		r := requests[i%len(requests)]
		began := time.Now()
		if _, err := conn.Write(r.bytes); err != nil {
			return out, fmt.Errorf("send to %s: %w", address, err)
		}
		if err := readAnswer(reader, r.place); err != nil {
			return out, fmt.Errorf("answer of %s: %w", address, err)
		}
		if err := out.latency.RecordValue(max(1, time.Since(began).Microseconds())); err != nil {
			return out, err
		}
		out.requests++
	}
	return out, nil
}

// readAnswer reads an HTTP/1.1 answer with a length. It is hand-made so that the generator takes little of the machine that it measures.
func readAnswer(r *bufio.Reader, place string) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("got %q, want 200", bytes.TrimSpace(line))
	}
	length, from := -1, ""
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte(servedBy)):
			from = string(bytes.TrimSpace(value))
		}
	}
	if length < 0 {
		return errors.New("no Content-Length")
	}
	if from != place {
		return fmt.Errorf("%q answered, want %q", from, place)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}
