package box

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/geoshard/geoshard/wan"
)

// A Client steers a box from this machine.
type Client struct {
	// Address is host:port of the box's API, Token what it wants to be shown.
	Address, Token string
}

// requestWithin bounds one request to the box, which does nothing that takes time.
const requestWithin = 10 * time.Second

// State asks what the network is like.
func (c Client) State(ctx context.Context) (s State, _ error) {
	body, err := c.send(ctx, http.MethodGet, "/state", "")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("decode the state of the network: %w", err)
	}
	return s, nil
}

// Apply puts a fault into force.
func (c Client) Apply(ctx context.Context, fault wan.Fault) error {
	return c.do(ctx, http.MethodPost, "/faults", fault.String())
}

// Remove ends a fault.
func (c Client) Remove(ctx context.Context, fault wan.Fault) error {
	return c.do(ctx, http.MethodDelete, "/faults", fault.String())
}

// Heal ends all faults.
func (c Client) Heal(ctx context.Context) error { return c.do(ctx, http.MethodPost, "/heal", "") }

// StartDelays switches the delays of the links on.
func (c Client) StartDelays(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/delays", "")
}

// Register says at which host:port a member really is, now that its container runs.
func (c Client) Register(ctx context.Context, member, address string) error {
	return c.do(ctx, http.MethodPost, "/addresses", member+" "+address)
}

// Forget says that a member's container has ended.
func (c Client) Forget(ctx context.Context, member string) error {
	return c.do(ctx, http.MethodDelete, "/addresses", member)
}

func (c Client) do(ctx context.Context, method, path, text string) error {
	_, err := c.send(ctx, method, path, text)
	return err
}

func (c Client) send(ctx context.Context, method, path, text string) ([]byte, error) {
	body, err := c.request(ctx, method, path, text)
	if err != nil {
		return nil, fmt.Errorf("ask the network: %w", err)
	}
	return body, nil
}

func (c Client) request(ctx context.Context, method, path, text string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.Address+path, strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Close = true // an idle connection would outlive the cluster
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s", method, path, strings.TrimSpace(string(body)))
	}
	return body, err
}
