package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/geoshard/geoshard/cart"
	"github.com/geoshard/geoshard/cluster"
	"github.com/geoshard/geoshard/hint"
	"github.com/geoshard/geoshard/topology"
)

// actWithin bounds an action. One whose page has gone is done all the same.
const actWithin = 60 * time.Second

// An order is what an action is asked for; each action uses some of it.
type order struct {
	City   string                `json:"city"`
	SKU    string                `json:"sku"`
	Token  bool                  `json:"token"`
	On     bool                  `json:"on"`
	DC     topology.DatacenterID `json:"dc"`
	Shard  topology.ShardID      `json:"shard"`
	Member string                `json:"member"`
	// Lag is written as Go writes durations.
	Lag string `json:"lag"`
	// shopper is the number in the path.
	shopper int
}

// An action is what a button does. Its result is the answer; nil = none.
type action func(context.Context, order) (any, error)

// actions are what the page's buttons do.
func (d *Dashboard) actions() http.Handler {
	mux := http.NewServeMux()
	on := func(path string, act action) {
		mux.HandleFunc("POST /api/"+path, func(w http.ResponseWriter, r *http.Request) { d.act(w, r, act) })
	}
	on("hello", func(context.Context, order) (any, error) { return nil, nil }) // the page asks whether its token is right
	on("shoppers", d.newShopper)
	on("shoppers/{id}/items", d.asShopper(d.addItem))
	on("shoppers/{id}/travel", d.travel)
	on("shoppers/{id}/read", d.asShopper(d.look))
	on("notices", d.delay)
	on("traffic", func(_ context.Context, o order) (any, error) {
		d.Steady(o.On)
		return nil, nil
	})
	on("faults/kill", d.killPrimary)
	on("faults/start", d.startMember)
	on("faults/isolate", d.isolate)
	on("faults/heal", d.heal)
	on("faults/lag", d.lag)
	return mux
}

func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, act action) {
	var o order
	decode := json.NewDecoder(r.Body)
	decode.DisallowUnknownFields()
	if err := decode.Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, "the request is no JSON of this API: "+err.Error(), "use the page that this server sends")
		return
	}
	if text := r.PathValue("id"); text != "" {
		var err error
		if o.shopper, err = strconv.Atoi(text); err != nil {
			refuse(w, http.StatusNotFound, errNobody.Error(), "shoppers have numbers")
			return
		}
	}
	ctx, cancel := context.WithTimeout(d.life, actWithin)
	defer cancel()
	result, err := act(ctx, o)
	if err != nil {
		d.tell(bad, "%v", err)
		status, help := explain(err)
		refuse(w, status, err.Error(), help)
		return
	}
	if result == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(result) // the client may be gone
}

// explain finds the status and the way out of an error.
func explain(err error) (status int, help string) {
	help = hint.Of(err)
	var problem *problemError
	switch {
	case errors.As(err, &problem):
		return http.StatusBadGateway, "the line in the list of requests says who answered"
	case errors.Is(err, errNobody), errors.Is(err, errCity), errors.Is(err, topology.ErrUnknownMember), errors.Is(err, topology.ErrUnknownDatacenter):
		return http.StatusNotFound, help
	case errors.Is(err, errShoppers):
		return http.StatusConflict, "let one of those who are there shop on"
	case errors.Is(err, errNoPrimary):
		return http.StatusConflict, "wait for the election, or start its members"
	case errors.Is(err, errLag), errors.Is(err, cart.ErrInvalid), errors.Is(err, cluster.ErrUnsupported):
		return http.StatusBadRequest, help
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "it may still come about: the page shows it then"
	default:
		return http.StatusInternalServerError, help
	}
}

var (
	errNoPrimary = errors.New("the shard has no primary now")
	errLag       = errors.New("a lag is between 0 and 30 seconds")
)

// mostLag keeps a member inside the oplog, and the page's patience.
const mostLag = 30 * time.Second

// broke tells what somebody did, and makes the page look often.
func (d *Dashboard) broke(began time.Time, err error, format string, a ...any) (any, error) {
	d.wake()
	if err == nil {
		d.tell(done, format+" (%s)", append(a, time.Since(began).Round(time.Millisecond))...)
	}
	return nil, err
}

func (d *Dashboard) killPrimary(ctx context.Context, o order) (any, error) {
	began := time.Now()
	status, err := d.world.Cluster().Status(ctx)
	if err != nil {
		return nil, err
	}
	primary, ok := status.Primary(o.Shard)
	if !ok {
		return nil, fmt.Errorf("%s: %w", printable(string(o.Shard)), errNoPrimary)
	}
	return d.broke(began, d.world.Cluster().Kill(ctx, primary.Name), "killed %s, the primary of %s (SIGKILL)", primary.Name, o.Shard)
}

func (d *Dashboard) startMember(ctx context.Context, o order) (any, error) {
	began := time.Now()
	d.wake()
	return d.broke(began, d.world.Cluster().Start(ctx, o.Member), "started %s", o.Member)
}

func (d *Dashboard) isolate(ctx context.Context, o order) (any, error) {
	return d.broke(time.Now(), cluster.Isolate(ctx, d.world.Cluster(), o.DC), "cut %s off from all other datacenters", o.DC)
}

func (d *Dashboard) heal(ctx context.Context, _ order) (any, error) {
	return d.broke(time.Now(), d.world.Cluster().Heal(ctx), "healed all links, and ended all lags")
}

func (d *Dashboard) lag(ctx context.Context, o order) (any, error) {
	began := time.Now()
	by, err := time.ParseDuration(o.Lag)
	if err != nil || by < 0 || by > mostLag {
		return nil, fmt.Errorf("%w: %q", errLag, printable(o.Lag))
	}
	d.wake()
	return d.broke(began, d.world.Cluster().SetLag(ctx, o.Member, by), "%s is held %s behind", o.Member, by)
}
