package mongobin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"time"

	"github.com/geoshard/geoshard/hint"
)

const (
	// connectTimeout decides whether the site can be reached at all. It is short because a network that drops packets
	// to unknown places would otherwise hold up everybody who has to take the other way.
	connectTimeout = 3 * time.Second
	// answerTimeout bounds the wait for an answer's first line.
	answerTimeout = 15 * time.Second
	// defaultStall ends a transfer in which nothing arrives any more.
	defaultStall = 30 * time.Second
)

var errStalled = errors.New("nothing arrives any more")

// download copies a file from the site and returns its SHA-256.
func (o Options) download(ctx context.Context, url, file string) (string, error) {
	body, err := o.get(ctx, url)
	if err != nil {
		return "", err
	}
	defer body.Close()
	sum := sha256.New()
	if err := o.writeFile(file, "downloading "+path.Base(url), body.size, io.TeeReader(body, sum)); err != nil {
		return "", downloadError(url, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// downloadError explains a transfer that broke off; errors about the cache pass as they are.
func downloadError(url string, err error) error {
	if hint.Of(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return hint.Errorf("run it again: nothing of the broken download was kept", "download %s: %w: %w", url, ErrTruncated, err)
}

// A transfer is the body of an answer that ends when nothing arrives any more.
type transfer struct {
	io.ReadCloser
	size  int64
	ctx   context.Context
	timer *time.Timer
	stall time.Duration
	stop  context.CancelCauseFunc
}

func (t *transfer) Read(p []byte) (int, error) {
	t.timer.Reset(t.stall)
	n, err := t.ReadCloser.Read(p)
	if err != nil && err != io.EOF && t.ctx.Err() != nil {
		err = context.Cause(t.ctx)
	}
	return n, err
}

func (t *transfer) Close() error {
	t.timer.Stop()
	t.stop(nil)
	return t.ReadCloser.Close()
}

// get asks for a file. A site that does not answer, or answers that it may not be used from here, is ErrUnreachable; a file that it does not
// have is ErrNoArchive.
func (o Options) get(ctx context.Context, url string) (*transfer, error) {
	stall := cmp.Or(o.stallTimeout, defaultStall)
	ctx, stop := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		stop(nil)
		return nil, fmt.Errorf("download %s: %w", url, err)
	}
	resp, err := client.Do(req)
	switch cause := context.Cause(ctx); {
	case err != nil && cause != nil:
		err = fmt.Errorf("download %s: %w", url, cause)
	case err != nil:
		err = unreachable(url, err)
	default:
		err = statusError(url, resp)
	}
	if err != nil {
		stop(nil)
		return nil, err
	}
	return &transfer{ReadCloser: resp.Body, size: resp.ContentLength, ctx: ctx, stall: stall, stop: stop,
		timer: time.AfterFunc(stall, func() { stop(errStalled) })}, nil
}

func unreachable(url string, err error) error {
	return hint.Errorf("check the network, set GEOSHARD_MONGODB_MIRROR to a copy of MongoDB's download site, or "+ownBinary, "download %s: %w: %w", url, ErrUnreachable, err)
}

// statusError is what an answer without the file says. It closes the answer.
func statusError(url string, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return hint.Errorf(ownBinary, "download %s: %w: %s", url, ErrNoArchive, resp.Status)
	}
	return unreachable(url, errors.New(resp.Status))
}

// client keeps no connections: there are two requests in all.
var client = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
	TLSHandshakeTimeout:   2 * connectTimeout,
	ResponseHeaderTimeout: answerTimeout,
	DisableKeepAlives:     true,
	DisableCompression:    true,
}}
